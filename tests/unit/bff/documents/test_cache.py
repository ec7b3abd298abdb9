"""The text cache of the documents room: what it spares, and how much memory it takes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from bff.store.memory import MemoryTier

from .room import Room
from .samples import ITEM, sha256


async def test_cache_spares_parsing() -> None:
    """The same text is parsed once, by raw text only: who asks with what never matters."""
    room = Room("open")
    first = await room.find(text=ITEM, variables={"a": 1}, extensions={"b": 2})
    assert await room.find(text=ITEM, variables={"a": 2}) is first
    assert await room.find(text=f"{ITEM} ") is not first


async def test_cache_is_bounded_by_bytes() -> None:
    """Large texts take more of the cache than small ones; one too large for it is not kept."""
    room = Room("open", text_cache_bytes=20_000)
    for number in range(50):
        await room.find(text=f"query Q{number} {{ numbers }}")
    kept = len(room.documents._by_text)
    assert 1 < kept < 5
    await room.find(text="{ numbers(of: [" + "1 " * 1_500 + "]) }")
    assert len(room.documents._by_text) == kept
    await room.find(text="{ numbers } #" + "x" * 12_000)
    assert len(room.documents._by_text) == 1
    assert room.documents._by_text.currsize <= room.documents._by_text.maxsize


@pytest.mark.timeout(60)
async def test_cache_holds_what_it_says() -> None:
    """Texts made to take much memory, comments and strings of wide characters, sent as text or as
    APQ, take no more of it than the setting allows."""
    limit = 150_000
    room = Room("open", tier=MemoryTier(1, 1), text_cache_bytes=limit)
    wide = "\U0001f600" + "a" * 4_000

    def traced() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    async def fill(name: str) -> None:
        for number in range(15):
            comment = f"{{ numbers }} # {name} {number} {wide}"
            await room.find(document_id=sha256(comment), text=comment, apq=True)
            await room.find(text=f'{{ item(id: "{name}{number}{wide}") {{ id }} }}')
            await room.find(text=f"{{ {'numbers ' * 60} }} # {name} {number}")

    tracemalloc.start()
    try:
        await fill("so that all that is made once is there")
        room.documents._by_text.clear()
        await fill("measured")
        full = traced()
        # What emptying frees, and not what was added: threads of tests before also take memory.
        room.documents._by_text.clear()
        held = full - traced()
    finally:
        tracemalloc.stop()
    assert limit * 0.5 < held < limit
