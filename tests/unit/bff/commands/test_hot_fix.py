"""Whom a hot-fix meets, and with that for which builds it must be proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bff import config as settings_module
from bff.commands import hot_fix as module
from bff.commands.hot_fix import HotFix, Patch
from bff.commands.release_checks import Reviewed
from bff.commands.schema import sdl
from bff.documents.limits import MAX_NESTING
from persisted_queries.budgets import Budget, Budgets
from persisted_queries.manifest import parse_manifest
from persisted_queries.model import Remap
from persisted_queries.problem import PublishRefusedError
from persisted_queries.publish import Parts, publish
from tests.harness.registries import Made, made_in

SETTINGS = settings_module.load()
CONFIG = SETTINGS.platforms["ios"]
SDL = sdl(CONFIG)
OLDER = SDL.replace("endCursor: String\n", "endCursor: ID\n")
FEED_FIELDS = "home { feed(first: 3) { endCursor } }"
FEED = f"query Feed {{ {FEED_FIELDS} }}"
OPTIONS = {"reason": "slow"}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Two releases that send one text under ids of their own; the older was built from an SDL in
    which its field was of another type."""
    (tmp_path / "registry").mkdir()
    found = made_in(tmp_path / "registry")
    for version, document_id, schema in (("1.0", "feed-1", OLDER), ("1.1", "feed-2", SDL)):
        found.record(schema)
        raw = json.dumps({document_id: FEED}).encode()
        operations = parse_manifest(raw, "test").operations
        publish(found.writer(), Parts(version, "1", operations, schema, state="live"))
    return found


def patch_of(made: Made, text: str) -> Patch:
    """A patched text in a file."""
    file = Path(made.store.name) / "patched.graphql"
    file.write_text(text, encoding="utf-8")
    return Patch(file, text)


def test_every_id_of_the_text_counts(made: Made) -> None:
    """A gateway patches the text behind an id. For all releases it is therefore proven for each
    that sends the text, under whatever id; for one release, for that one."""
    registry = made.reader()
    hot_fix, patch = HotFix(registry, CONFIG, SETTINGS), patch_of(made, FEED.replace("3", "2"))
    for document_id in ("feed-1", "feed-2"):
        with pytest.raises(PublishRefusedError, match=r"was ID, is String.*\[1\.0\+1\]"):
            hot_fix.entry(registry.state, document_id, None, patch, OPTIONS)
    entry = hot_fix.entry(registry.state, "feed-2", "1.1+1", patch, OPTIONS)
    assert (entry.id, entry.release) == ("feed-2", "1.1+1")
    assert registry.document(entry.hash or "") == patch.text


def test_left_out_texts_are_refused(made: Made) -> None:
    """A text that every build could read, but no gateway would run, is refused before it is in the
    log: the gateway would only have noted that it goes on with the shipped one."""
    registry = made.reader()
    hot_fix, deep = HotFix(registry, CONFIG, SETTINGS), MAX_NESTING + 1
    nested = patch_of(made, f"query Feed {{ {'... { ' * deep}{FEED_FIELDS}{' }' * deep} }}")
    written = registry.store.paths("documents")
    with pytest.raises(PublishRefusedError, match=r"schema in force: .*nests.*\[1\.1\+1\]"):
        hot_fix.entry(registry.state, "feed-2", "1.1+1", nested, OPTIONS)
    assert registry.store.paths("documents") == written


def test_undo_does_not_break_a_release(made: Made) -> None:
    """What a hot-fixed text was published with may have gone since: it is not run again, unless by
    force, for a release that counts; for a blocked one, and one that is fixed otherwise, it may."""
    gone = SDL.replace("endCursor: String\n", "endCursor: String\n  lastCursor: String\n")
    text = FEED.replace("endCursor", "endCursor: lastCursor")
    made.record(gone)
    operations = parse_manifest(json.dumps({"feed-3": text}).encode(), "test").operations
    publish(made.writer(), Parts("1.2", "1", operations, gone, state="live"))
    patched = made.reader().objects.put("documents", FEED.encode())
    made.write(Remap("feed-3", patched, "1.2+1"))
    registry = made.reader()
    undo = HotFix(registry, CONFIG, SETTINGS).undo
    with pytest.raises(PublishRefusedError, match=r"lastCursor.*\[1\.2\+1\]; .*--force"):
        undo("feed-3", "1.2+1", "")(registry.state)
    taken_back = Remap("feed-3", None, "1.2+1", "why")
    assert undo("feed-3", "1.2+1", "why", force=True)(registry.state) == taken_back
    made.write(Remap("feed-3", patched))
    registry = made.reader()
    undo = HotFix(registry, CONFIG, SETTINGS).undo
    assert undo("feed-3", "1.2+1", "why")(registry.state) == taken_back
    made.write(taken_back)
    made.set_state("1.2+1", "blocked")
    registry = made.reader()
    undo = HotFix(registry, CONFIG, SETTINGS).undo
    assert undo("feed-3", None, "")(registry.state) == Remap("feed-3", None)


def test_texts_over_budget_are_refused(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hot-fix keeps to the figures people agreed on for its operation, as a release does."""
    reviewed = Reviewed(
        Budgets(operations={"Feed": Budget(depth=1)}), Path("b.yaml"), {}, Path("c.yaml")
    )
    monkeypatch.setattr(module, "reviewed_of", lambda _: reviewed)
    registry = made.reader()
    hot_fix, patch = HotFix(registry, CONFIG, SETTINGS), patch_of(made, FEED.replace("3", "2"))
    with pytest.raises(PublishRefusedError, match=r"depth.*b\.yaml"):
        hot_fix.entry(registry.state, "feed-2", "1.1+1", patch, OPTIONS)
