"""Many registered documents: ready at once, prepared when used or by the way, within bounds.

The figures with ten thousand of them are `tests/e2e/test_ten_thousand_documents.py`'s.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLSchema, parse, print_ast, validate

from bff import config as settings_module
from bff.app import load_schema
from bff.config import DocumentsConfig
from bff.contract import OperationFacts, describe
from bff.documents import prepare
from bff.documents.documents import Documents
from bff.documents.model import Operation
from bff.documents.prepare import Preparer
from bff.plans.execute import graphql_schema
from bff.request import OperationRequest
from bff.store.memory import MemoryTier
from persisted_queries.manifest import Manifest, Shelf, parse_manifest
from persisted_queries.releases import Release
from tests.harness.operations import operations

COUNT = 500
TOKENS = range(30, 121)
CACHE = 500_000
SCHEMA = graphql_schema(load_schema(settings_module.load().platforms["ios"]))
TEXTS = {f"doc@{number}": text for number, text in enumerate(operations(SCHEMA, COUNT, TOKENS))}
SHELF = Shelf()
MANIFEST = parse_manifest(json.dumps(TEXTS).encode(), "many", SHELF)
FEW = replace(MANIFEST, operations=MANIFEST.operations[:50])


class Room:
    """The documents room over `COUNT` documents, what it prepared and what it told."""

    def __init__(self, manifest: Manifest = MANIFEST) -> None:
        self.prepared = 0
        self.told: list[str] = []
        self.documents = Documents(
            SCHEMA,
            DocumentsConfig(ast_cache_bytes=CACHE),
            "registered",
            False,
            [Release("ios", "1.0.0", "1", manifest)],
            MemoryTier(1, 1),
            describe=self.describe,
            on_prepared=lambda operation: self.told.append(operation.document_id),
        )
        self.documents.load()

    def describe(self, schema: GraphQLSchema, document: DocumentNode) -> Sequence[OperationFacts]:
        self.prepared += 1
        return describe(schema, document)

    async def find(self, document_id: str) -> Operation:
        return await self.documents.find(OperationRequest(document_id=document_id))

    @property
    def trees_held(self) -> int:
        return self.documents._registered._trees.held


def test_releases_share_texts() -> None:
    """Read with one shelf, two manifests hold one copy of what both send."""
    again = parse_manifest(json.dumps(TEXTS).encode(), "again", SHELF)
    assert all(
        one is other for one, other in zip(MANIFEST.operations, again.operations, strict=True)
    )
    renamed = parse_manifest(
        json.dumps({f"new@{id_}": text for id_, text in TEXTS.items()}).encode(), "renamed", SHELF
    )
    assert all(
        one.body is other.body
        for one, other in zip(MANIFEST.operations, renamed.operations, strict=True)
    )


async def test_start_prepares_nothing() -> None:
    """After the start every document is there and none was prepared; one that is asked for is
    prepared alone, once."""
    room = Room()
    assert (len(room.documents), room.prepared) == (COUNT, 0)
    for _ in range(2):
        assert (await room.find("doc@7")).document_id == "doc@7"
    assert room.prepared == 1


async def test_other_layouts_are_known_at_once() -> None:
    """Before anything was prepared, a registered text in another layout is that document, and
    other texts are refused without preparing any."""
    room = Room()
    found = await room.documents.find(
        OperationRequest(text=TEXTS["doc@9"].replace(" r", "\n  r") + " # other")
    )
    assert (found.document_id, found.registered, room.prepared) == ("doc@9", True, 1)


async def test_background_prepares_the_rest() -> None:
    """Asked documents are told first, then all the others; the loop goes round between any two,
    and requests are answered meanwhile; trees stay within their bound."""
    room = Room()
    await room.find("doc@300")
    background = asyncio.create_task(room.documents.prepare_all())
    seen: list[int] = []
    while not background.done():
        if not seen or room.prepared > seen[-1]:
            seen.append(room.prepared)
        assert room.trees_held <= CACHE
        if len(seen) == 20:
            await room.find("doc@400")
        await asyncio.sleep(0)
    await background
    assert room.told[0] == "doc@300"
    assert sorted(room.told) == sorted(TEXTS)
    assert room.prepared == COUNT
    assert room.told.index("doc@400") < 30
    assert max(later - sooner for sooner, later in pairwise(seen)) <= 2
    assert room.trees_held > CACHE / 2


async def test_dropped_trees_come_back_alike() -> None:
    """With room for few trees, each is what its text says whenever it is read, prepared once."""
    room = Room(FEW)
    room.documents.check_all()
    for _ in range(2):
        for number in range(len(FEW.operations)):
            operation = await room.find(f"doc@{number}")
            tree, definition = operation.parsed()
            assert print_ast(tree) == print_ast(parse(TEXTS[f"doc@{number}"]))
            assert definition in tree.definitions
            assert room.trees_held <= CACHE
    assert room.prepared == len(FEW.operations)


async def test_broken_preparation_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while one document is being prepared is counted, and the others go on."""
    room = Room(FEW)
    counts: list[str] = []

    def fault(schema: GraphQLSchema, document: DocumentNode) -> Sequence[OperationFacts]:
        found = room.describe(schema, document)
        if room.prepared == 3:
            raise RuntimeError("fault")
        return found

    monkeypatch.setattr(room.documents, "_count", counts.append)
    monkeypatch.setattr(room.documents._preparer, "_describe", fault)
    await room.documents.prepare_all()
    assert counts == ["document_preparation_broke"]
    assert len(room.told) == len(FEW.operations) - 1


@pytest.mark.parametrize("kept_out", [True, False])
def test_collector_stays_out(kept_out: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's collector, which would begin amid a document, waits for its end and then leaves
    nothing of it for a full collection."""
    if not kept_out:
        bare = Preparer.registered.__wrapped__  # type: ignore[attr-defined]
        monkeypatch.setattr(Preparer, "registered", bare)
    room = Room(FEW)
    began: list[tuple[int, bool]] = []
    amid = False

    def begins(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            began.append((info["generation"], amid))

    def validated(*given: Any, **named: Any) -> Any:
        nonlocal amid
        amid = True
        try:
            return validate(*given, **named)
        finally:
            amid = False

    monkeypatch.setattr(prepare, "validate", validated)
    gc.collect()
    gc.callbacks.append(begins)
    try:
        room.documents.check_all()
    finally:
        gc.callbacks.remove(begins)
    assert any(amid for _, amid in began) is not kept_out
    if kept_out:
        assert [generation for generation, _ in began].count(0) >= len(FEW.operations)
        assert 2 not in [generation for generation, _ in began]
    assert gc.isenabled()
