"""Promises of bff/documents/source.py, and of the documents room that goes by it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, print_schema

from bff.config import DocumentsConfig, Policy, Settings, load
from bff.documents.documents import Documents
from bff.documents.model import Operation
from bff.documents.snapshot import Snapshot, of_folder
from bff.documents.source import RegistrySource, open_source
from bff.errors import (
    ConfigError,
    DocumentNotInRelease,
    DocumentNotRegistered,
    PersistedQueryMismatch,
    ReleaseUnknown,
)
from bff.request import ClientIdentity, OperationRequest
from bff.store.memory import MemoryTier
from persisted_queries.manifest import parse_manifest
from persisted_queries.model import Publish, Remap
from persisted_queries.publish import Parts, publish
from tests.harness.registries import Made, made_in

from .samples import BROKEN, HOME, HOME_AGAIN, HOME_OTHER_ORDER, ITEM, SAVE, SCHEMA, release, sha256

SDL = print_schema(SCHEMA)
OLDER = SDL.replace("ARTICLE\n  VIDEO", "ARTICLE").replace(
    "type Author implements Node", "type Author"
)


def caller(name: str | None) -> ClientIdentity:
    version, _, build = (name or "").partition("+")
    return ClientIdentity("app", version or None, build or None)


class Followed:
    """A registry and a documents room that goes by it."""

    def __init__(
        self, folder: Path, policy: Policy = "registered", made: Made | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.made = made or made_in(folder)
        self.told: list[str | None] = []
        self.documents = Documents(
            SCHEMA,
            DocumentsConfig(),
            policy,
            False,
            [],
            MemoryTier(10, 10_000),
            count=self.count,
            on_prepared=lambda operation: self.told.append(operation.name),
        )
        self.source = RegistrySource(self.made.reader(), SCHEMA, 0.02, self.count)
        self.documents.take(self.source.snapshot())

    def count(self, event: str) -> None:
        self.counts[event] += 1

    def publish(self, name: str, *texts: str, **options: Any) -> None:
        self.made.publish(name, *texts, **{"sdl": SDL, **options})
        self.follow()

    def follow(self) -> Snapshot | None:
        found = self.source.next()
        if found is not None:
            self.documents.take(found)
        return found

    async def find(self, text: str, release: str | None = None) -> Operation:
        return await self.documents.find(
            OperationRequest(document_id=sha256(text)), caller(release)
        )


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "registry")


async def test_new_release_is_served(followed: Followed) -> None:
    """Documents of a release are unknown until it is published, and found after the next poll."""
    with pytest.raises(DocumentNotRegistered):
        await followed.find(HOME)
    followed.publish("1.0+1", HOME)
    assert (await followed.find(HOME, "1.0+1")).name == "Home"
    assert followed.follow() is None


async def test_prepared_documents_stay(followed: Followed) -> None:
    """What was prepared for one release is the same object after the next came, and only what is
    new is prepared and told."""
    followed.publish("1.0+1", HOME, ITEM)
    followed.documents.check_all()
    before = await followed.find(HOME, "1.0+1")
    followed.told.clear()
    followed.publish("1.1+1", HOME, SAVE)
    assert await followed.find(HOME, "1.1+1") is before
    followed.documents.check_all()
    assert followed.told == ["Save"]


async def test_other_releases_documents_are_refused(followed: Followed) -> None:
    """A known release gets its own documents; for another's the answer names who has it."""
    followed.publish("1.0+1", HOME)
    followed.publish("1.1+1", ITEM)
    followed.publish("1.2+1", ITEM)
    with pytest.raises(DocumentNotInRelease, match=r"1\.0\+1 .* 1\.2\+1") as refused:
        await followed.find(ITEM, "1.0+1")
    assert refused.value.extensions == {"releases": ["1.2+1", "1.1+1"]}
    assert followed.counts["document_not_in_release"] == 1
    assert (await followed.find(ITEM, "1.1+1")).name == "Item"


@pytest.mark.parametrize("release", [None, "9.9+9"])
async def test_strangers_get_what_is_known(followed: Followed, release: str | None) -> None:
    """No request of an unknown release fails that a known document could answer."""
    followed.publish("1.0+1", HOME)
    assert (await followed.find(HOME, release)).name == "Home"


async def test_unknown_release_is_told(followed: Followed) -> None:
    """An unknown document of an unknown release says that the release is unknown."""
    followed.publish("1.0+1", HOME)
    with pytest.raises(ReleaseUnknown, match=r"9\.9\+9"):
        await followed.find(ITEM, "9.9+9")
    with pytest.raises(DocumentNotRegistered):
        await followed.find(ITEM, "1.0+1")


async def test_retired_documents_are_found(followed: Followed) -> None:
    """A retired release is still found its documents, for the client room to judge; what it alone
    sent is nobody else's from then on, and what it shared stays."""
    followed.publish("1.0+1", HOME, ITEM)
    followed.publish("1.1+1", HOME)
    followed.made.set_state("1.0+1", "retired")
    followed.follow()
    assert (await followed.find(HOME, "1.0+1")).name == "Home"
    assert (await followed.find(ITEM, "1.0+1")).name == "Item"
    with pytest.raises(DocumentNotRegistered):
        await followed.find(SAVE, "1.0+1")
    assert (await followed.find(HOME, "1.1+1")).name == "Home"
    with pytest.raises(DocumentNotRegistered):
        await followed.find(ITEM)


async def test_layouts_of_other_releases_hide_nothing(followed: Followed) -> None:
    """Two releases registered one document in two layouts. A third layout is that of whoever sends
    it, beside an id too; with the older release retired it is still known to everybody."""
    followed.publish("1.0+1", HOME)
    followed.publish("1.1+1", HOME_AGAIN)
    sent = HOME.replace("id title", "id\ntitle")
    for document_id in (None, sha256(HOME_AGAIN)):
        request = OperationRequest(text=sent, document_id=document_id)
        found = await followed.documents.find(request, caller("1.1+1"))
        assert found.document_hash == sha256(HOME_AGAIN)
    followed.made.set_state("1.0+1", "retired")
    followed.follow()
    assert (await followed.documents.find(OperationRequest(text=sent))).name == "Home"
    with pytest.raises(PersistedQueryMismatch):
        await followed.documents.find(
            OperationRequest(text=HOME_OTHER_ORDER, document_id=sha256(HOME_AGAIN))
        )


async def test_retired_release_signs_out_after_a_restart(followed: Followed) -> None:
    """What a retired release alone writes is known to a gateway that starts later too: it may be
    its sign-out. What it reads is not, and neither is anybody else's."""
    followed.made.publish("1.0+1", ITEM, SAVE, sdl=SDL)
    followed.made.publish("1.1+1", HOME, sdl=SDL)
    followed.made.set_state("1.0+1", "retired")
    restarted = Documents(
        SCHEMA, DocumentsConfig(), "registered", False, [], MemoryTier(10, 10_000)
    )
    restarted.take(RegistrySource(followed.made.reader(), SCHEMA, 1, print).snapshot())
    assert len(restarted) == 2
    sign_out = OperationRequest(document_id=sha256(SAVE))
    assert (await restarted.find(sign_out, caller("1.0+1"))).name == "Save"
    with pytest.raises(DocumentNotRegistered):
        await restarted.find(sign_out)
    with pytest.raises(DocumentNotInRelease):
        await restarted.find(sign_out, caller("1.1+1"))


@pytest.mark.parametrize("policy", ["open", "log_unknown"])
async def test_open_policies_refuse_no_release(tmp_path: Path, policy: Policy) -> None:
    """Where any text runs, so does any registered document."""
    followed = Followed(tmp_path / "registry", policy)
    followed.publish("1.0+1", HOME)
    followed.publish("1.1+1", ITEM)
    assert (await followed.find(ITEM, "1.0+1")).name == "Item"


async def test_hot_fix_and_undo(followed: Followed) -> None:
    """A remap runs another text for its release, or for all, from the next poll; undone, the
    published one runs again, from the same objects."""
    followed.publish("1.0+1", HOME)
    followed.publish("1.1+1", HOME)
    published = await followed.find(HOME, "1.0+1")
    patched = followed.made.reader().objects.put("documents", HOME_OTHER_ORDER.encode())
    followed.made.write(Remap(sha256(HOME), patched, "1.0+1"))
    followed.follow()
    fixed = await followed.find(HOME, "1.0+1")
    assert (fixed.document_hash, fixed.document_id) == (patched, sha256(HOME))
    assert fixed.registered
    assert await followed.find(HOME, "1.1+1") is published
    followed.made.write(Remap(sha256(HOME), patched))
    followed.follow()
    assert await followed.find(HOME) is fixed
    followed.made.write(Remap(sha256(HOME), None))
    followed.made.write(Remap(sha256(HOME), None, "1.0+1"))
    followed.follow()
    assert await followed.find(HOME, "1.0+1") is published
    with pytest.raises(DocumentNotRegistered):  # never a document of its own
        await followed.find(HOME_OTHER_ORDER)


async def test_hot_fix_covers_texts(tmp_path: Path) -> None:
    """A build that sends the text gets the patched one too."""
    followed = Followed(tmp_path / "registry", "registered")
    followed.publish("1.0+1", HOME)
    patched = followed.made.reader().objects.put("documents", HOME_OTHER_ORDER.encode())
    followed.made.write(Remap(sha256(HOME), patched))
    followed.follow()
    found = await followed.documents.find(OperationRequest(text=HOME), caller("1.0+1"))
    assert found.document_hash == patched


async def test_hot_fix_that_does_not_fit(followed: Followed) -> None:
    """A patched text the schema refuses is reported, and the published one runs."""
    followed.publish("1.0+1", HOME)
    broken = followed.made.reader().objects.put("documents", BROKEN.encode())
    followed.made.write(Remap(sha256(HOME), broken))
    followed.follow()
    assert (await followed.find(HOME)).document_hash == sha256(HOME)
    assert [one.release for one in followed.documents.problems] == ["remap"]
    assert len(followed.documents) == 1


async def test_hot_fix_outlives_its_id(followed: Followed, tmp_path: Path) -> None:
    """A hot-fix is of a text: it runs on, after a restart too, when the release is retired by whose
    id it was named."""
    followed.made.record(SDL)
    for name, document_id in (("1.0", "home-1"), ("1.1", "home-2")):
        operations = parse_manifest(json.dumps({document_id: HOME}).encode(), "test").operations
        publish(followed.made.writer(), Parts(name, "1", operations, SDL, state="live"))
    patched = followed.made.reader().objects.put("documents", HOME_OTHER_ORDER.encode())
    followed.made.write(Remap("home-1", patched))
    followed.made.set_state("1.0+1", "retired")
    restarted = Followed(tmp_path / "registry", made=followed.made)
    found = await restarted.documents.find(OperationRequest(document_id="home-2"), caller("1.1+1"))
    assert found.document_hash == patched


async def test_own_hot_fix_that_does_not_fit(followed: Followed) -> None:
    """Where a release's own hot-fix does not fit, the one for all runs; each is counted once."""
    followed.publish("1.0+1", HOME)
    objects = followed.made.reader().objects
    broken, patched = (objects.put("documents", one.encode()) for one in (BROKEN, HOME_OTHER_ORDER))
    followed.made.write(Remap(sha256(HOME), broken, "1.0+1"))
    followed.made.write(Remap(sha256(HOME), patched))
    followed.follow()
    for _ in range(2):
        assert (await followed.find(HOME, "1.0+1")).document_hash == patched
    assert followed.counts["document_left_out"] == 1


async def test_hot_fix_brings_a_document_back(followed: Followed) -> None:
    """A hot-fix runs where the published text does not fit the schema any more, found by id and by
    text; for nobody else, and no longer than it is in force."""
    followed.publish("1.0+1", BROKEN)
    followed.publish("1.1+1", BROKEN)
    with pytest.raises(DocumentNotRegistered):
        await followed.find(BROKEN, "1.0+1")
    patched = followed.made.reader().objects.put("documents", HOME.encode())
    followed.made.write(Remap(sha256(BROKEN), patched, "1.0+1"))
    followed.follow()
    for request in (
        OperationRequest(document_id=sha256(BROKEN)),
        OperationRequest(text=BROKEN),
        OperationRequest(document_id=sha256(BROKEN), text=BROKEN),
    ):
        found = await followed.documents.find(request, caller("1.0+1"))
        assert found.document_hash == patched
    with pytest.raises(DocumentNotRegistered):
        await followed.find(BROKEN, "1.1+1")
    followed.made.write(Remap(sha256(BROKEN), None, "1.0+1"))
    followed.follow()
    with pytest.raises(DocumentNotRegistered):
        await followed.find(BROKEN, "1.0+1")


async def test_fence_is_of_the_build(followed: Followed) -> None:
    """A release built from an older schema is fenced from what came since; a new one is free."""
    followed.publish("1.0+1", HOME, sdl=OLDER)
    followed.publish("1.1+1", HOME)
    old, new = (followed.documents.standing_of(caller(name)) for name in ("1.0+1", "1.1+1"))
    assert old.fence.enums == {"Kind": {"VIDEO"}}
    assert old.fence.types == {"Node": {"Author"}}
    assert new.fence.key == ""
    assert followed.documents.standing_of(caller("1.0.5")).fence is old.fence


async def test_damaged_document_costs_itself(followed: Followed, tmp_path: Path) -> None:
    """A document that is corrupt in the store is unknown, all others are served, and it comes once
    it is mended; the problem is counted once, and disturbs nobody while it lasts."""
    path = tmp_path / "registry" / "documents" / sha256(ITEM)
    followed.made.publish("1.0+1", HOME, ITEM, sdl=SDL)
    path.write_bytes(b"query Evil { item(id: 1) { title } }")
    assert followed.follow() is not None
    assert followed.follow() is None
    assert (await followed.find(HOME, "1.0+1")).name == "Home"
    with pytest.raises(DocumentNotRegistered):
        await followed.find(ITEM, "1.0+1")
    assert followed.counts["registry_damaged"] == 1
    path.write_bytes(ITEM.encode())
    followed.follow()
    assert (await followed.find(ITEM, "1.0+1")).name == "Item"
    assert followed.follow() is None


@pytest.mark.parametrize("kind", ["manifests", "schemas"])
async def test_missing_object_refuses_nobody(followed: Followed, tmp_path: Path, kind: str) -> None:
    """Without its manifest a release gets every known document; without its schema it is fenced
    like the release before; both are set right when the object is there."""
    followed.publish("1.0+1", HOME, ITEM, sdl=OLDER)
    sent = followed.made.publish("1.1+1", HOME, sdl=SDL)
    hashed = sent.published.manifest if kind == "manifests" else sent.published.schema
    path = tmp_path / "registry" / kind / hashed
    away = path.rename(tmp_path / "away")
    followed.follow()
    assert (await followed.find(HOME, "1.1+1")).name == "Home"
    found = followed.documents.standing_of(caller("1.1+1"))
    if kind == "manifests":
        assert (await followed.find(ITEM, "1.1+1")).name == "Item"
    else:
        assert found.fence.enums == {"Kind": {"VIDEO"}}
    assert followed.counts["registry_missing"] == 1
    away.rename(path)
    followed.follow()
    with pytest.raises(DocumentNotInRelease):
        await followed.find(ITEM, "1.1+1")
    assert followed.documents.standing_of(caller("1.1+1")).fence.key == ""


async def taken(followed: Followed, name: str, came: asyncio.Event) -> None:
    """The release is known; `came` is set in the loop after each hand-over."""
    while followed.documents.standing_of(caller(name)).release is None:
        came.clear()
        await came.wait()


async def test_watching_takes_what_is_new(followed: Followed) -> None:
    """The thread hands over each change within a few polls, survives what breaks it, and stops."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    broke = threading.Event()

    def take(snapshot: Snapshot) -> None:
        if not broke.is_set():
            broke.set()
            raise RuntimeError("the first time")
        followed.documents.take(snapshot)
        loop.call_soon_threadsafe(came.set)

    stop = followed.source.watch(take)
    try:
        followed.made.publish("0.9+1", SAVE, sdl=SDL)
        async with asyncio.timeout(20):
            await asyncio.to_thread(broke.wait, 20)
            followed.made.publish("1.0+1", HOME, sdl=SDL)
            await taken(followed, "1.0+1", came)
        assert (await followed.find(HOME, "1.0+1")).name == "Home"
        assert followed.counts["registry_broke"] == 1
        assert (await followed.find(SAVE, "0.9+1")).name == "Save"
    finally:
        stop()


async def test_broken_poll_is_made_up_for(followed: Followed) -> None:
    """What a poll could not hand over comes with the next, though nothing else is published."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    broken = iter([True])

    def take(snapshot: Snapshot) -> None:
        if next(broken, False):
            raise RuntimeError("the first time")
        followed.documents.take(snapshot)
        loop.call_soon_threadsafe(came.set)

    stop = followed.source.watch(take)
    try:
        followed.made.publish("1.0+1", HOME, sdl=SDL)
        async with asyncio.timeout(20):
            await taken(followed, "1.0+1", came)
        assert followed.counts["registry_broke"] == 1
        assert (await followed.find(HOME, "1.0+1")).name == "Home"
    finally:
        stop()


async def test_schema_that_is_no_text(followed: Followed) -> None:
    """A release whose schema is not even text is fenced like the release before and served, and the
    problem is told; it keeps nobody from what is published later."""
    followed.publish("1.0+1", HOME, sdl=OLDER)
    objects = followed.made.reader().objects
    manifest = followed.made.reader().state.releases["1.0+1"].manifest
    followed.made.write(
        Publish("1.1", "1", manifest, objects.put("schemas", b"\xff"), state="live")
    )
    followed.follow()
    found = followed.documents.standing_of(caller("1.1+1"))
    assert found.fence.enums == {"Kind": {"VIDEO"}}
    assert followed.counts["registry_damaged"] == 1


async def test_listeners_are_told(followed: Followed) -> None:
    """A listener gets the state at once and after every change."""
    seen: list[list[str]] = []
    followed.documents.listen(lambda state: seen.append(state.unretired))
    followed.publish("1.0+1", HOME)
    followed.made.set_state("1.0+1", "retired")
    followed.follow()
    assert seen == [[], ["1.0+1"], []]


def settings(made: Made, **room: Any) -> Settings:
    found = load()
    registry = found.registry.model_copy(update=room)
    return found.model_copy(update={"registry": registry})


def test_no_registry_no_source(followed: Followed) -> None:
    """Without a URL there is nothing to follow; with one, keys are required, and said so."""
    schema = build_schema(SDL)
    assert open_source(settings(followed.made), "ios", schema, print) is None
    with pytest.raises(ConfigError, match=r"platforms\.ios\.registry_keys is not set"):
        open_source(settings(followed.made, url="somewhere"), "ios", schema, print)


def test_folder_releases_are_fenced() -> None:
    """A release of a folder is fenced by the schema beside its manifest, free without one, and one
    that is no SDL is told with its file."""
    plain = release({"a1": HOME}, "1.0+1")
    built = replace(release({"a1": HOME}, "1.1+1"), schema=OLDER)
    known = of_folder("ios", [plain, built], SCHEMA).known
    assert [one.fence.enums for one in known.releases] == [{}, {"Kind": {"VIDEO"}}]
    with pytest.raises(ConfigError, match=r"1\.1\+1/schema\.graphqls"):
        of_folder("ios", [replace(built, schema="type")], SCHEMA)
