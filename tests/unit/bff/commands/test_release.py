"""Promises of `bff release` and `bff registry`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bff import config as settings_module
from bff.__main__ import cli
from bff.commands.schema import sdl
from bff.errors import ConfigError
from persisted_queries.model import Publish, Remap, SetState
from persisted_queries.objects import hash_of
from persisted_queries.signing import make_signer, read_public_keys, read_signer, write_signer
from persisted_queries.stored import StoredManifest, StoredOperation
from tests.harness.registries import Made, made_in

FEED = "query Feed { home { feed(first: 3) { entries { reason } } } }"
SHORTER = FEED.replace("3", "2")


@dataclass
class Ci:
    """A registry with releases 1.0+1, 1.1+1 (both send FEED), and who writes to it."""

    folder: Path
    made: Made = field(init=False)

    def __post_init__(self) -> None:
        self.made = made_in(self.folder / "registry")
        write_signer(self.made.signer, self.folder / "ios.jwk")
        schema = sdl(settings_module.load().platforms["ios"])
        self.made.publish("1.0+1", FEED, sdl=schema)
        self.made.publish("1.1+1", FEED, sdl=schema, state="draft")

    def run(self, *words: str) -> Result:
        told = ["--registry", str(self.folder / "registry"), "--key", str(self.folder / "ios.jwk")]
        return CliRunner().invoke(cli, ["release", *words, "--platform", "ios", *told])

    def listed(self) -> dict[str, dict[str, Any]]:
        done = self.run("list", "--format", "json")
        assert done.exit_code == 0, done.output
        return {one["name"]: one for one in json.loads(done.stdout)["releases"]}

    def patch(self, text: str) -> str:
        path = self.folder / "patched.graphql"
        path.write_text(text)
        return str(path)


@pytest.fixture
def ci(tmp_path: Path) -> Ci:
    return Ci(tmp_path)


def test_life_of_a_release(ci: Ci) -> None:
    """Each verb brings a release to its state, one entry each, with what belongs to it."""
    steps: list[tuple[list[str], dict[str, Any]]] = [
        (["promote", "1.1+1", "--to", "in_review"], {"state": "in_review"}),
        (["rollout", "1.1+1", "10"], {"state": "rolling_out", "rollout": 10}),
        (["rollout", "1.1+1", "100"], {"state": "live", "rollout": None}),
        (["sunset", "1.1+1", "--on", "2999-01-31"], {"state": "sunset", "sunset": "2999-01-31"}),
        (["promote", "1.1+1"], {"state": "live", "sunset": None}),
        (["block", "1.1+1", "--reason", "loses drafts"], {"reason": "loses drafts"}),
        (["retire", "1.1+1"], {"state": "retired"}),
    ]
    before = ci.made.reader().state.number
    for words, expected in steps:
        done = ci.run(*words)
        assert done.exit_code == 0, done.output
        found = ci.listed()["1.1+1"]
        assert {key: found[key] for key in expected} == expected
    assert ci.made.reader().state.number == before + len(steps)
    assert ci.listed()["1.0+1"]["state"] == "live"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["promote", "1.0+1", "--to", "draft"], "it can become blocked"),
        (["rollout", "1.1+1", "10"], None),
        (["remap", "nothing", "--undo"], "nothing to undo"),
    ],
)
def test_refusals_exit_with_1(ci: Ci, words: list[str], said: str | None) -> None:
    """What does not follow is refused with a way out and exit code 1; what follows is not."""
    done = ci.run(*words)
    assert done.exit_code == (0 if said is None else 1), done.output
    assert said is None or said in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["block", "9.9+9"], "the newest are 1.0+1, 1.1+1"),
        (["sunset", "1.0+1", "--on", "soon"], "write a day as"),
        (["sunset", "1.0+1", "--on", "2020-01-01"], "is past"),
        (["remap", "id"], "or --undo"),
    ],
)
def test_wrong_usage_is_explained(ci: Ci, words: list[str], said: str) -> None:
    """Wrong words are a ConfigError (exit code 2) that says what to write."""
    done = ci.run(*words)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_show_lists_documents(ci: Ci) -> None:
    """`show` tells state and documents, for people and for machines."""
    assert "Feed" in ci.run("show", "1.0+1").stdout
    told = json.loads(ci.run("show", "1.0+1", "--format", "json").stdout)
    hashed = hash_of(FEED.encode())
    expected = [{"id": hashed, "hash": hashed, "name": "Feed", "type": "query"}]
    assert told["operations"] == expected


@pytest.mark.parametrize("release", [["--release", "1.0+1"], []])
def test_remap_and_undo(ci: Ci, release: list[str]) -> None:
    """A hot-fix that is proven is written for the release or for all, shown, and undone by one
    command, under the id or the text's hash with its prefix."""
    hashed = hash_of(FEED.encode())
    done = ci.run("remap", f"sha256:{hashed}", ci.patch(SHORTER), *release)
    assert done.exit_code == 0, done.output
    fixed = {hashed: hash_of(SHORTER.encode())}
    listed = ci.listed()
    assert (listed["1.0+1"]["remaps"], listed["1.1+1"]["remaps"]) == (
        fixed,
        {} if release else fixed,
    )
    assert ci.made.reader().document(fixed[hashed]) == SHORTER
    done = ci.run("remap", hashed, "--undo", *release)
    assert done.exit_code == 0, done.output
    assert ci.listed()["1.0+1"]["remaps"] == {}


def test_unproven_remap_is_refused(ci: Ci) -> None:
    """A text whose answer a build cannot read is refused with the reason and the releases that
    would break; nothing is written."""
    before = ci.made.reader().state.number
    done = ci.run("remap", hash_of(FEED.encode()), ci.patch(FEED.replace("feed(", "other: feed(")))
    assert done.exit_code == 1
    assert "nothing was changed" in done.stderr
    assert "[1.0+1, 1.1+1]" in done.stderr
    assert ci.made.reader().state.number == before
    done = ci.run("remap", "0" * 64, ci.patch(SHORTER))
    assert (done.exit_code, "sends" in done.stderr) == (1, True)


def test_keygen_adds_keys(tmp_path: Path) -> None:
    """A key pair is written once; the next one is added to the public set, never put in the place
    of the first."""
    public = tmp_path / "public.jwks"
    for kid in ("one", "two"):
        words = ["registry", "keygen", kid, "--private", str(tmp_path / f"{kid}.jwk")]
        done = CliRunner().invoke(cli, [*words, "--public", str(public)])
        assert done.exit_code == 0, done.output
    assert list(read_public_keys(public)) == ["one", "two"]
    assert read_signer(tmp_path / "two.jwk").kid == "two"
    assert '"d"' not in public.read_text()
    for kid, private in (("two", "new.jwk"), ("three", "one.jwk")):
        words = ["registry", "keygen", kid, "--private", str(tmp_path / private)]
        done = CliRunner().invoke(cli, [*words, "--public", str(public)])
        assert isinstance(done.exception, ConfigError)
    assert list(read_public_keys(public)) == ["one", "two"]


def test_another_key_is_not_trusted(ci: Ci) -> None:
    """Who signs with a key that does not fit the log is told so before anything is written."""
    write_signer(make_signer("other"), ci.folder / "other.jwk")
    told = ["--registry", str(ci.folder / "registry"), "--key", str(ci.folder / "other.jwk")]
    done = CliRunner().invoke(cli, ["release", "retire", "1.0+1", "--platform", "ios", *told])
    assert isinstance(done.exception, ConfigError)
    assert "does not trust" in str(done.exception)


def without_reason() -> tuple[str, str]:
    """The schema's SDL of today, and without what FEED reads."""
    schema = sdl(settings_module.load().platforms["ios"])
    line = "  reason: FeedReason!\n"
    assert schema.count(line) == 1
    return schema, schema.replace(line, "")


@pytest.mark.parametrize(
    ("end", "back"),
    [
        (["block"], ["promote"]),
        (["block"], ["rollout", "100"]),
        (["block"], ["sunset", "--on", "2999-01-31"]),
        (["sunset", "--on", "2999-01-31"], ["promote"]),
        (["sunset", "--on", "2999-01-30"], ["sunset", "--on", "2999-01-31"]),
    ],
)
def test_return_is_judged(ci: Ci, end: list[str], back: list[str]) -> None:
    """A release that comes back to those that count is judged by the schema of today: refused with
    document and place while a field it reads is gone; forced with a reason, or with the field back,
    it returns."""
    schema, without = without_reason()
    assert ci.run(end[0], "1.0+1", *end[1:]).exit_code == 0
    ci.made.record(without)
    before = ci.made.reader().state.number
    words = [back[0], "1.0+1", *back[1:]]
    done = ci.run(*words)
    assert done.exit_code == 1, done.output
    for said in ("Feed 1:48 ", "FeedEntry.reason was removed", "--force --reason"):
        assert said in done.stderr
    with pytest.raises(ConfigError, match="--reason"):
        raise done_exception(ci.run(*words, "--force"))
    assert ci.made.reader().state.number == before
    ci.made.record(schema)
    assert ci.run(*words).exit_code == 0
    assert ci.run(end[0], "1.0+1", *end[1:]).exit_code == 0
    ci.made.record(without)
    forced = ci.run(*words, "--force", "--reason", "nobody opens the feed")
    assert forced.exit_code == 0, forced.output
    assert ci.listed()["1.0+1"]["reason"] == "nobody opens the feed"


def done_exception(done: Result) -> BaseException:
    """What a verb raised."""
    assert done.exception is not None
    return done.exception


def test_hot_fixed_return_is_judged(ci: Ci) -> None:
    """What runs is judged: a hot-fix that does without what is gone lets a release return, and one
    that the schema left behind does not."""
    schema, without = without_reason()
    assert ci.run("block", "1.0+1").exit_code == 0
    hashed = hash_of(FEED.encode())
    patched = FEED.replace("reason", "reason @skip(if: true)")
    objects = ci.made.reader().objects
    ci.made.write(Remap(hashed, objects.put("documents", patched.encode())))
    assert ci.run("promote", "1.0+1").exit_code == 1, "the build reads `reason`"
    ci.made.write(Remap(hashed, objects.put("documents", SHORTER.encode())))
    ci.made.record(without)
    assert ci.run("promote", "1.0+1").exit_code == 1
    ci.made.record(schema)
    assert ci.run("promote", "1.0+1").exit_code == 0


def test_an_end_is_never_judged(ci: Ci) -> None:
    """What only takes away, or gives less time, is not asked about: a broken release can be
    ended."""
    assert ci.run("sunset", "1.0+1", "--on", "2999-01-31").exit_code == 0
    ci.made.record(without_reason()[1])
    for words in (
        ["sunset", "1.0+1", "--on", "2999-01-30"],
        ["block", "1.0+1"],
        ["retire", "1.0+1"],
    ):
        done = ci.run(*words)
        assert done.exit_code == 0, done.output


def test_others_words_stay_words(ci: Ci) -> None:
    """Reasons, messages and names that others wrote reach no terminal as anything but letters."""
    odd = "x\x1b]0;owned\x07\n::error::y"
    ci.made.write(SetState("1.0", "1", "blocked", reason=odd))
    manifest = StoredManifest(
        operations=(StoredOperation(odd, hash_of(FEED.encode()), odd, "query"),)
    )
    registry = ci.made.reader()
    hashed = registry.objects.put("manifests", manifest.encode())
    schema = registry.state.releases["1.0+1"].schema
    ci.made.write(Publish("2.0", "1", hashed, schema, (odd,), "live"))
    gate = ci.run("gate", "--message", odd)
    assert gate.exit_code == 0, gate.output
    for done in (gate, ci.run("list"), ci.run("show", "2.0+1")):
        assert "owned" in done.output
        assert all(line.isprintable() for line in done.output.split("\n"))
        assert not any(line.lstrip().startswith("::") for line in done.output.split("\n"))
