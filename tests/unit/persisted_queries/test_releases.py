"""Promises of persisted_queries/releases.py."""

from pathlib import Path

import pytest

from persisted_queries.manifest import ManifestError
from persisted_queries.releases import ReleaseError, read_releases


def put(folder: Path, release: str, text: str = '{"a1": "query A { a }"}') -> Path:
    path = folder / release
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(text)
    return path


def test_releases_come_oldest_first(tmp_path: Path) -> None:
    """Versions and builds are ordered as numbers, and a pre-release stands before its release."""
    for name in ("7.10.0+5", "7.9.0+12", "7.9.0+9", "7.9.0-beta.1+8"):
        put(tmp_path, name)
    found = read_releases(tmp_path, "ios")
    assert [release.name for release in found] == [
        "7.9.0-beta.1+8",
        "7.9.0+9",
        "7.9.0+12",
        "7.10.0+5",
    ]
    assert {release.platform for release in found} == {"ios"}
    assert [one.name for one in found[0].manifest.operations] == ["A"]


def test_other_files_are_ignored(tmp_path: Path) -> None:
    """Files beside the release folders, hidden folders and other files inside are not releases."""
    path = put(tmp_path, "1.0.0+1")
    (path / "schema.graphql").write_text("type Query { a: Int }")
    (tmp_path / "README.md").write_text("x")
    (tmp_path / ".cache").mkdir()
    assert [release.name for release in read_releases(tmp_path, "web")] == ["1.0.0+1"]


def test_empty_folder_has_no_releases(tmp_path: Path) -> None:
    """A platform that has not shipped yet has an empty folder."""
    assert read_releases(tmp_path, "tv") == []


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder that does not exist is a wrong setting, and the error says which setting."""
    with pytest.raises(ReleaseError, match=r"no such folder of tv releases.*releases at the right"):
        read_releases(tmp_path / "tv", "tv")


@pytest.mark.parametrize("name", ["7.3.0", "+4", "7.3.0+", "7 3+1", "7.3.0+1+2"])
def test_folder_name_is_checked(tmp_path: Path, name: str) -> None:
    """A folder that is not <version>+<build> is refused by its name."""
    put(tmp_path, name)
    with pytest.raises(ReleaseError, match=r"<version>\+<build>"):
        read_releases(tmp_path, "ios")


@pytest.mark.parametrize("names", [[], ["a.json", "b.json"]])
def test_one_manifest_a_release(tmp_path: Path, names: list[str]) -> None:
    """A release without a manifest, or with two, is refused and its manifests are listed."""
    folder = tmp_path / "1.0.0+1"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")
    with pytest.raises(ReleaseError, match=", ".join(names) or "none"):
        read_releases(tmp_path, "ios")


def test_bad_manifest_names_its_path(tmp_path: Path) -> None:
    """A manifest's own mistakes come through with the path of its release."""
    put(tmp_path, "1.0.0+1", "[]")
    with pytest.raises(ManifestError, match=r"1\.0\.0\+1/manifest\.json"):
        read_releases(tmp_path, "ios")


def test_schema_stands_beside_the_manifest(tmp_path: Path) -> None:
    """The SDL a build was made from is read if it is there; one that is no text is told by name."""
    for build in (1, 2):
        folder = tmp_path / f"1.0.0+{build}"
        folder.mkdir()
        (folder / "manifest.json").write_text('{"a": "query A { a }"}')
    schema = tmp_path / "1.0.0+2" / "schema.graphqls"
    schema.write_text("type Query { a: Int }")
    found = read_releases(tmp_path, "ios")
    assert [release.schema for release in found] == [None, "type Query { a: Int }"]
    schema.write_bytes(b"\xff")
    with pytest.raises(ReleaseError, match=r"schema\.graphqls: is not text"):
        read_releases(tmp_path, "ios")
