"""`bff publish`: what is right is written once, what is wrong is told and nothing of it written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bff import config as settings_module
from bff.commands.publish import publish
from bff.commands.schema import sdl
from bff.config import PROJECT
from bff.errors import ConfigError
from persisted_queries.manifest import read_manifest
from persisted_queries.model import Remap
from persisted_queries.pack import GENERATORS, pack, read_documents
from persisted_queries.signing import Signer, make_signer, write_signer
from persisted_queries.store import Store
from tests.harness.registries import Made

OPERATIONS = PROJECT / "persisted_queries" / "ios" / "operations"
SDL = sdl(settings_module.load().platforms["ios"])
OLDER = re.sub(r'  """Universal link.*"""\n  handoffUrl: String!\n', "", SDL)
LEAVE = "mutation Leave($input: SignOutInput!) { signOut(input: $input) { state } }"
WORDS = "query Words { home { feed { entries { item { ... on Item { handoffUrl } } } } } }"
SCREEN = "query Screen { home { feed { endCursor } } }"


@dataclass
class Room:
    """An empty registry with its key, and a folder for what is published."""

    folder: Path
    signer: Signer

    @property
    def made(self) -> Made:
        return Made(Store.of(self.folder / "registry"), signer=self.signer)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def manifest(self, *texts: str, generator: str = "apollo-ios") -> Path:
        """A manifest of operations, by default the sample app's."""
        given = {f"{number}.graphql": text for number, text in enumerate(texts)}
        return self.write("manifest.json", pack(given or read_documents(OPERATIONS), generator))

    def run(
        self, manifest: Path, *extra: str, release: str = "7.4.0+812", schema: str = SDL
    ) -> dict[str, Any]:
        """Publish into the registry: what was told as JSON, and the exit code. `schema` is an SDL
        or a hash."""
        if "type Query" in schema:
            schema = str(self.write("app.graphqls", schema))
        version, _, build = release.partition("+")
        told = ["--platform", "ios", "--version", version, "--build", build, "--schema", schema]
        told += ["--registry", str(self.folder / "registry"), "--key", str(self.folder / "key")]
        arguments = [str(manifest), *told, "--format", "json", *extra]
        done = CliRunner().invoke(publish, arguments)
        if isinstance(done.exception, Exception):
            raise done.exception
        return {**json.loads(done.stdout), "exit": done.exit_code}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    (tmp_path / "registry").mkdir()
    signer = make_signer("ci")
    write_signer(signer, tmp_path / "key")
    return Room(tmp_path, signer)


def errors(told: dict[str, Any]) -> str:
    """The messages of a refusal, which wrote nothing."""
    assert (told["exit"], told["ok"], told["entry"]) == (1, False, None)
    return "\n".join(one["message"] for one in told["findings"] if one["level"] == "error")


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_format_is_published(room: Room, generator: str) -> None:
    """A manifest of each generator becomes a release that a gateway reads: every text, the hash of
    its SDL, state and capabilities; the first release puts the schema on record."""
    manifest = room.manifest(SCREEN, LEAVE, generator=generator)
    told = room.run(manifest, "--state", "in_review", "--capability", "widgets")
    assert (told["exit"], told["entry"], told["state"]) == (0, 2, "in_review"), told
    found = room.made.reader()
    release = found.state.releases["7.4.0+812"]
    assert (release.state, release.capabilities) == ("in_review", ("widgets",))
    assert release.schema == found.state.schemas[-1].schema
    sent = {one.id: one.body for one in read_manifest(manifest).operations}
    assert {one.id: one.body for one in found.manifest(release.manifest)} == sent


def test_only_missing_texts_travel(room: Room) -> None:
    """The next release sends what the last one sent and one text more: one travels."""
    first = room.run(room.manifest(SCREEN, LEAVE))
    assert first["documents"] == {"all": 2, "new": 2}
    second = room.run(room.manifest(SCREEN, LEAVE, WORDS), release="7.4.1+813")
    assert (second["exit"], second["documents"]) == (0, {"all": 3, "new": 1})


def test_check_writes_nothing(room: Room) -> None:
    """Everything is judged and told, the registry stays as empty as it was."""
    told = room.run(room.manifest(SCREEN, LEAVE), "--check")
    assert (told["exit"], told["ok"], told["entry"]) == (0, True, None)
    assert told["documents"] == {"all": 2, "new": 2}
    assert {one["unit"] for one in told["figures"]} == {"calls", "depth", "cost"}
    assert list((room.folder / "registry").iterdir()) == []


def test_unread_texts_are_told(room: Room) -> None:
    """A damaged text counts as new, as publishing would mend it; one that the store cannot hand out
    is no stored one: the check says so, and names no number."""
    manifest = room.manifest(SCREEN, LEAVE)
    (sent, _) = read_manifest(manifest).operations
    path = room.folder / "registry" / "documents" / sent.hash
    path.parent.mkdir()
    path.write_text("query Screen { other }")
    assert room.run(manifest, "--check")["documents"] == {"all": 2, "new": 2}
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(ConfigError, match=f"the registry: .*{sent.hash}: is no file"):
        room.run(manifest, "--check")


def test_older_schema_is_accepted(room: Room) -> None:
    """An SDL the platform answered by, laid out in another way, or its hash: the app was generated
    from that, and only what that knows may be asked for."""
    room.made.record(OLDER)
    room.made.record(SDL)
    older = room.made.reader().state.schemas[0].schema
    told = room.run(room.manifest(SCREEN), schema=OLDER.replace("\n\n", "\n\n\n"))
    assert told["exit"] == 0, told
    assert room.made.reader().state.releases["7.4.0+812"].schema == older
    assert room.run(room.manifest(SCREEN), schema=older, release="7.4.0+813")["exit"] == 0
    told = room.run(room.manifest(WORDS), schema=older, release="7.4.0+814")
    assert "is refused by the build's schema: line" in errors(told)
    assert "Cannot query field 'handoffUrl' on type 'Item'" in errors(told)


def test_unknown_schema_is_refused(room: Room) -> None:
    """An SDL that is no past or present one of the platform is refused, with the difference, on
    its own file."""
    other = SDL.replace("  wordCount: Int!\n", "  wordCount: Int!\n  letterCount: Int!\n")
    told = room.run(room.manifest(SCREEN), schema=other)
    assert "+  letterCount: Int!" in errors(told)
    assert told["findings"][0]["file"].endswith("app.graphqls")
    assert "on record" in errors(room.run(room.manifest(SCREEN), schema="0" * 64))
    assert "cannot be read" in errors(room.run(room.manifest(SCREEN), schema="type Query { a: B }"))


def test_schema_not_on_record_waits(room: Room) -> None:
    """The code's schema is judged before it goes on record: until then an app built from it can be
    checked, which warns, but not published."""
    room.made.record(OLDER)
    told = room.run(room.manifest(SCREEN), "--check")
    assert (told["exit"], [one["level"] for one in told["findings"]][:1]) == (0, ["warning"])
    assert "`bff schema record ios`" in errors(room.run(room.manifest(SCREEN)))


def test_invalid_document_is_refused(room: Room) -> None:
    """A field that the schema in force does not have: refused, with line and way, on the file that
    defines the operation, or else on the manifest's line."""
    gone = "query Home { home { weather } }"
    told = room.run(room.manifest(SCREEN, gone))
    assert "is refused by the schema in force: Cannot query field 'weather'" in errors(told)
    files = {one["file"] for one in told["findings"] if one["level"] == "error"}
    assert files == {"persisted_queries/ios/operations/Home.graphql"}
    told = room.run(room.manifest("query Elsewhere { home { weather } }"))
    (place,) = {(one["file"], one["line"]) for one in told["findings"] if one["level"] == "error"}
    assert place[0].endswith("manifest.json")
    assert place[1] > 1


def test_release_is_published_once(room: Room) -> None:
    """A release never changes: neither with the same documents nor with others."""
    manifest = room.manifest(SCREEN)
    assert room.run(manifest)["exit"] == 0
    for extra in ((), ("--check",)):
        assert "7.4.0+812 is published already" in errors(room.run(manifest, *extra))


@pytest.mark.parametrize("extra", [(), ("--check",)])
def test_id_of_another_text_is_refused(room: Room, extra: tuple[str, ...]) -> None:
    """An id that an earlier release gave to another text, and an operation's name as id."""
    entry = {"name": "Screen", "type": "query", "source": SCREEN}
    assert room.run(room.write("m.json", json.dumps({"v1": entry})))["exit"] == 0
    entry["source"] = "query Screen { home { feed { hasMore } } }"
    told = room.run(room.write("m.json", json.dumps({"v1": entry})), *extra, release="7.5.0+1")
    assert "'v1' stands for another text in an earlier release" in errors(told)
    told = room.run(room.write("m.json", json.dumps({"Screen": entry})), *extra, release="7.5.0+1")
    assert "id 'Screen': is an operation's name" in errors(told)


def test_calls_over_budget_are_refused(room: Room) -> None:
    """More upstream calls than `calls.yaml` allows the operation: refused, with the growth against
    the release before."""
    few = "query Home { home { feed { entries { saved } } } }"
    assert room.run(room.manifest(few))["exit"] == 0
    documents = read_documents(OPERATIONS)
    documents["Home.graphql"] = documents["Home.graphql"].replace(
        "query Home(", "query Home($id: ID! = 1, "
    )
    more = documents["Home.graphql"].rstrip().removesuffix("}")
    documents["Home.graphql"] = (
        f"{more}  content(id: $id) {{ related {{ items {{ __typename }} }} }}}}"
    )
    home = documents["Home.graphql"] + documents["fragments.graphql"]
    told = room.run(room.manifest(home), release="7.5.0+900")
    assert "Home/ios 7.5.0: +400 % calls, over budget (5 of 4; 7.4.0+812 had 1)" in errors(told)
    assert "raise it in schema/ios/calls.yaml" in errors(told)


def test_hot_fix_holds_for_later_builds(room: Room) -> None:
    """A hot-fix for all releases also meets those published after it: one whose build it was not
    proven for, and which could not read it, is refused; one that can is not."""
    room.made.record(SDL.replace("endCursor: String\n", "endCursor: ID\n"))
    room.made.record(SDL)
    older = room.made.reader().state.schemas[0].schema
    assert room.run(room.manifest(SCREEN))["exit"] == 0
    (sent,) = read_manifest(room.manifest(SCREEN)).operations
    patched = sent.body.replace("endCursor", "endCursor @include(if: true)")
    hashed = room.made.reader().objects.put("documents", patched.encode())
    room.made.write(Remap(sent.id, hashed))
    again = {"kotlin-1": {"name": "Screen", "type": "query", "source": sent.body}}
    manifest = room.write("again.json", json.dumps(again))
    told = room.run(manifest, release="7.5.0+1", schema=older)
    assert "home.feed.endCursor: was ID, is String: another type" in errors(told)
    assert room.run(manifest, release="7.5.0+1")["exit"] == 0


def test_screen_without_budget_is_told(room: Room) -> None:
    """A new screen is published with a warning that gives the line to add."""
    told = room.run(room.manifest(SCREEN))
    (warning,) = told["findings"]
    assert warning["level"] == "warning"
    assert "persisted_queries/ios/budgets.yaml: Screen: {depth: 3, cost: 27}" in warning["message"]


def test_registry_of_the_settings(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options registry and key are those of the settings; a key that gateways do not trust
    is refused before anything is done, and so is writing without a registry."""
    manifest, schema = str(room.manifest(SCREEN)), str(room.write("app.graphqls", SDL))
    told = [manifest, "--platform", "ios", "--version", "7.4.0", "--build", "1", "--schema", schema]
    with pytest.raises(ConfigError, match="no registry; set"):
        CliRunner().invoke(publish, told, catch_exceptions=False)
    monkeypatch.setenv("BFF__REGISTRY__URL", str(room.folder / "registry"))
    with pytest.raises(ConfigError, match="no key to verify the registry with"):
        CliRunner().invoke(publish, told, catch_exceptions=False)
    monkeypatch.setenv("BFF__REGISTRY__KEY_FILE", str(room.folder / "key"))
    trusted = room.write("keys.json", json.dumps({"keys": [make_signer("other").public()]}))
    monkeypatch.setenv("BFF__PLATFORMS__IOS__REGISTRY_KEYS", str(trusted))
    with pytest.raises(ConfigError, match="key 'ci' is none of"):
        CliRunner().invoke(publish, told, catch_exceptions=False)
    trusted.write_text(json.dumps({"keys": [room.signer.public()]}))
    assert CliRunner().invoke(publish, told, catch_exceptions=False).exit_code == 0
    assert "7.4.0+1" in room.made.reader().state.releases


def test_check_without_registry(room: Room) -> None:
    """In a checkout alone, the seed releases are what is known: an app is judged, and an id that
    one of them gave to another text is refused."""
    schema = str(room.write("app.graphqls", SDL))
    told = ["--platform", "ios", "--version", "7.4.0", "--build", "1", "--schema", schema]
    told += ["--check", "--format", "json"]
    done = CliRunner().invoke(publish, [str(room.manifest()), *told], catch_exceptions=False)
    said = json.loads(done.stdout)
    assert (done.exit_code, said["ok"], said["documents"]["new"]) == (0, True, None)
    assert {one["earlier"] for one in said["figures"]} == {"7.3.0+801"}
    seed = PROJECT / "persisted_queries" / "ios" / "releases" / "7.3.0+801" / "manifest.json"
    first = read_manifest(seed).operations[0]
    stolen = {first.id: {"name": "Screen", "type": "query", "source": SCREEN}}
    manifest = room.write("manifest.json", json.dumps(stolen))
    done = CliRunner().invoke(publish, [str(manifest), *told], catch_exceptions=False)
    assert done.exit_code == 1
    assert "stands for another text in 7.3.0+801" in done.stdout


def test_text_and_annotations(room: Room) -> None:
    """For people a table, lines with places and a summary; for a code host one escaped line for
    each finding."""
    manifest = room.manifest(SCREEN, "query Home { home { weather } }")
    schema = str(room.write("app.graphqls", SDL))
    told = [
        "--platform",
        "ios",
        "--version",
        "7.4.0",
        "--build",
        "1",
        "--schema",
        schema,
        "--check",
    ]
    said = CliRunner().invoke(publish, [str(manifest), *told], catch_exceptions=False).stdout
    assert "✗ persisted_queries/ios/operations/Home.graphql:1 Home: is refused by" in said
    assert said.splitlines()[-1] == "ios 7.4.0+1: refused, 2 errors; nothing was written"
    arguments = [str(manifest), *told, "--format", "github"]
    lines = CliRunner().invoke(publish, arguments, catch_exceptions=False).stdout.splitlines()
    assert lines[0].startswith(
        "::error file=persisted_queries/ios/operations/Home.graphql,line=1,col=1,title=Home::is ref"
    )


def test_document_without_plan_is_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be compiled runs generic, which is told; it is refused where the settings have
    gateways leave such a document out."""
    manifest = room.manifest("query Look { __schema { queryType { name } } }")
    told = room.run(manifest, "--check")
    assert told["exit"] == 0
    (level, message), *_ = [(one["level"], one["message"]) for one in told["findings"]]
    assert level == "warning"
    assert "would not run wholly by a compiled plan (__schema: introspection)" in message
    monkeypatch.setenv("BFF__PLANS__REQUIRE_COMPILED", "refuse")
    assert message in errors(room.run(manifest))
