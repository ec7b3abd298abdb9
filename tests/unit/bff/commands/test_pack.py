"""`bff pack --write`: the next release is written, one that is there keeps its documents and the
schema it was built from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bff.commands.pack import pack
from bff.errors import ConfigError

NAME = "1.0.0+1"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app with one operation; the settings name it alone."""
    folder = tmp_path / "app"
    (folder / "operations").mkdir(parents=True)
    (folder / "app.json").write_text(json.dumps({"generator": "apollo-ios", "release": NAME}))
    (folder / "operations" / "Home.graphql").write_text("query Home { home { title } }")
    settings = tmp_path / "bff.yaml"
    settings.write_text(
        "platforms: {ios: {schema_object: 'schema.ios.root:schema', port_offset: 1, "
        f"releases: '{folder / 'releases'}'}}}}\n"
        "upstreams: {services: {accounts: {url: 'http://a:1'}}}\n"
    )
    monkeypatch.setenv("BFF_CONFIG", str(settings))
    write()
    return folder


def write(*arguments: str) -> None:
    CliRunner().invoke(pack, ["--write", *arguments], catch_exceptions=False)


def names(app: Path, release: str = NAME) -> list[str]:
    manifest = json.loads((app / "releases" / release / "manifest.json").read_bytes())
    return [operation["name"] for operation in manifest["operations"]]


def change(app: Path) -> None:
    (app / "operations" / "Home.graphql").write_text("query Home { home { subtitle } }")


def test_shipped_release_is_kept(app: Path) -> None:
    """A changed operation would take away the document of shipped apps: refused, with the ways
    out, and the manifest is as it was."""
    manifest = app / "releases" / NAME / "manifest.json"
    before = manifest.read_bytes()
    change(app)
    with pytest.raises(ConfigError, match="has 1 other document ") as refused:
        write()
    for said in (NAME, "Home", "name the next release in", "app.json", "--replace"):
        assert said in str(refused.value)
    assert manifest.read_bytes() == before


def test_unreleased_one_is_replaced(app: Path) -> None:
    """Asked to, it writes over a release that nobody has shipped."""
    change(app)
    write("--replace")
    assert "subtitle" in (app / "releases" / NAME / "manifest.json").read_text()


def test_next_release_is_written(app: Path) -> None:
    """Another name in app.json begins another release, beside the old one."""
    change(app)
    (app / "app.json").write_text('{"generator": "apollo-ios", "release": "1.1.0+2"}')
    write()
    assert names(app) == names(app, "1.1.0+2") == ["Home"]


def test_more_documents_are_welcome(app: Path) -> None:
    """A document that comes on top breaks no shipped app; writing the same again is no change."""
    write()
    (app / "operations" / "More.graphql").write_text("query More { more }")
    write()
    assert names(app) == ["Home", "More"]


def test_schema_is_kept_beside(app: Path) -> None:
    """The SDL the release was built from is written beside its manifest; the one of a release that
    is there stays as it is, until it is written anew."""
    file = app / "releases" / NAME / "schema.graphqls"
    snapshot = Path("schema/ios/schema.graphql").read_text("utf-8")
    assert file.read_text("utf-8") == snapshot
    file.write_text("type Query { older: Int }")
    write()
    assert file.read_text() == "type Query { older: Int }"
    change(app)
    with pytest.raises(ConfigError, match="other document"):
        write()
    assert file.read_text() == "type Query { older: Int }"
    write("--replace")
    assert file.read_text("utf-8") == snapshot


def test_printing_writes_nothing(app: Path) -> None:
    """Without --write the manifest is printed, and no schema is."""
    (app / "app.json").write_text('{"generator": "apollo-ios", "release": "1.1.0+2"}')
    done = CliRunner().invoke(pack, [], catch_exceptions=False)
    assert "apollo" in done.output
    assert "type Query" not in done.output
    assert not (app / "releases" / "1.1.0+2").exists()


def test_unreadable_manifest_is_not_overwritten(app: Path) -> None:
    """What cannot be read may still be what was shipped."""
    manifest = app / "releases" / NAME / "manifest.json"
    manifest.write_text("{")
    with pytest.raises(ConfigError, match="--replace"):
        write()
    assert manifest.read_text() == "{"
