"""Keys loaded as a list: one call, answers in order, and one memory with keys loaded singly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

import pytest

from bff.contract import Scope
from bff.errors import FieldError, NotFound, Unauthenticated, UpstreamUnavailable
from bff.loaders.base import Loader
from bff.upstreams.method import Answer, Method
from tests.unit.bff.upstreams.fakes import VIEWER, by_path, caller


class Texts(Answer, frozen=True):
    texts: list[str]


SHARED = Method("content", "texts", "GET", "/texts", Scope.SHARED, Texts)
OWN = Method("content", "own", "GET", "/own", Scope.VIEWER, Texts)
BAD = NotFound("There is nothing with this id; check it.")


class UpperByTextLoader(Loader[str, str]):
    """Upper case; `none` is nowhere, `bad` fails alone. Answers when `gate` opens."""

    method = SHARED
    max_batch_size = 5

    def __init__(self, *, viewer: bool = True) -> None:
        super().__init__(caller(by_path({}), VIEWER if viewer else None))
        self.batches: list[list[str]] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, keys: Sequence[str]) -> list[str | FieldError | None]:
        self.batches.append(list(keys))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        own: dict[str, FieldError | None] = {"none": None, "bad": BAD}
        return [own.get(key, key.upper()) for key in keys]


class OwnByTextLoader(UpperByTextLoader):
    method = OWN


class Pair(NamedTuple):
    item_id: str
    first: int


class PairLoader(Loader[Pair, str]):
    method = SHARED

    def __init__(self) -> None:
        super().__init__(caller(by_path({})))
        self.batches: list[list[Pair]] = []

    async def fetch(self, keys: Sequence[Pair]) -> list[str | None]:
        self.batches.append(list(keys))
        return [key.item_id for key in keys]


async def asked(loader: UpperByTextLoader, calls: int) -> None:
    """Until so many calls have left."""
    while len(loader.batches) < calls:
        await asyncio.sleep(0)


async def test_list_is_one_call() -> None:
    """Each key has its answer in its place: a record, None, or its own error."""
    loader = UpperByTextLoader()
    assert await loader.load_all(["b", "none", "a", "bad"]) == ["B", None, "A", BAD]
    assert loader.batches == [["b", "none", "a", "bad"]]


async def test_empty_list_is_no_call() -> None:
    """Nothing is asked for nothing."""
    loader = UpperByTextLoader()
    assert await loader.load_all([]) == []
    assert loader.batches == []


async def test_long_list_is_split() -> None:
    """What one call cannot carry leaves in several at the same time."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    loading = asyncio.create_task(loader.load_all(list("abcdefghijkl")))
    await asked(loader, 3)
    loader.gate.set()
    assert await loading == list("ABCDEFGHIJKL")
    assert [len(batch) for batch in loader.batches] == [5, 5, 2]


@pytest.mark.parametrize("bad", ["", " ", "a b", "a\n", "ü", "x" * 65, "\x7f"])
async def test_impossible_ids_are_not_asked(bad: str) -> None:
    """An id no service would take is found nowhere and costs its neighbours nothing."""
    loader = UpperByTextLoader()
    assert await loader.load_all(["a", bad, "x" * 64]) == ["A", None, "X" * 64]
    assert loader.batches == [["a", "x" * 64]]
    assert await UpperByTextLoader().load_all([bad]) == [None]


async def test_impossible_ids_in_tuples() -> None:
    """A key that holds an id besides other things is looked at the same way."""
    loader = PairLoader()
    assert await loader.load_all([Pair("a", 1), Pair("b c", 1)]) == ["a", None]
    assert loader.batches == [[Pair("a", 1)]]


async def test_failure_stands_in_every_place() -> None:
    """A call that failed is each key's error, not raised; asking again asks again."""
    loader = UpperByTextLoader()
    loader.failure = UpstreamUnavailable("down")
    assert await loader.load_all(["a", "b"]) == [loader.failure] * 2
    loader.failure = None
    assert await loader.load_all(["a", "b"]) == ["A", "B"]


async def test_one_failed_call_of_several() -> None:
    """Of a list in two calls, the one that failed costs its own keys only."""

    class HalfLoader(UpperByTextLoader):
        async def fetch(self, keys: Sequence[str]) -> list[str | FieldError | None]:
            if "f" in keys:
                raise UpstreamUnavailable("down")
            return await super().fetch(keys)

    found = await HalfLoader().load_all(list("abcdef"))
    assert found[:5] == list("ABCDE")
    assert isinstance(found[5], UpstreamUnavailable)


async def test_faults_of_ours_are_raised() -> None:
    """A bug in a loader is no answer: it is raised, and too few answers are such a bug."""
    loader = UpperByTextLoader()
    loader.failure = KeyError("ours")
    with pytest.raises(KeyError):
        await loader.load_all(["a"])

    class ShortLoader(UpperByTextLoader):
        async def fetch(self, keys: Sequence[str]) -> list[str | FieldError | None]:
            return []

    with pytest.raises(TypeError, match="ShortLoader: 0 of 1 answers"):
        await ShortLoader().load_all(["a"])


async def test_viewers_list_needs_a_viewer() -> None:
    """Without a viewer, a viewer's keys are refused in their places and nothing is asked."""
    loader = OwnByTextLoader(viewer=False)
    (refused,) = await loader.load_all(["a"])
    assert isinstance(refused, Unauthenticated)
    assert loader.batches == []


async def test_list_remembers_the_list() -> None:
    """Keys of an earlier list are not asked again, new ones are; errors of single keys stay."""
    loader = UpperByTextLoader()
    await loader.load_all(["a", "bad", "none"])
    assert await loader.load_all(["c", "none", "bad", "a"]) == ["C", None, BAD, "A"]
    assert loader.batches == [["a", "bad", "none"], ["c"]]


async def test_list_remembers_single_keys() -> None:
    """What was loaded singly is not asked again by a list, under way or done."""
    loader = UpperByTextLoader()
    single = loader.load("a")
    listed = asyncio.create_task(loader.load_all(["a", "b"]))
    assert (await single, await listed) == ("A", ["A", "B"])
    assert await loader.load_all(["a"]) == ["A"]
    assert sorted(loader.batches) == [["a"], ["b"]]


async def test_list_shares_a_single_keys_failure() -> None:
    """The error of a single load under way is the key's error in the list that joined it."""
    loader = UpperByTextLoader()
    single = loader.load("bad")
    assert await loader.load_all(["bad"]) == [BAD]
    with pytest.raises(NotFound):
        await single
    assert loader.batches == [["bad"]]


async def test_single_keys_remember_the_list() -> None:
    """What a list asked for is not asked again singly, under way or done, an error neither."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    listed = asyncio.create_task(loader.load_all(["a", "none", "bad"]))
    await asked(loader, 1)
    singles = [loader.load("a"), loader.load("bad"), loader.load("a")]
    loader.gate.set()
    found = await asyncio.gather(*singles, return_exceptions=True)
    assert found == ["A", BAD, "A"]
    assert await listed == ["A", None, BAD]
    assert (await loader.load("none"), await loader.load("a")) == (None, "A")
    assert loader.batches == [["a", "none", "bad"]]


async def test_lists_share_a_call_under_way() -> None:
    """Two lists at once ask for what they have in common once; new keys do not wait for it."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    first = asyncio.create_task(loader.load_all(["a", "b"]))
    await asked(loader, 1)
    second = asyncio.create_task(loader.load_all(["b", "c"]))
    await asked(loader, 2)
    loader.gate.set()
    assert (await first, await second) == (["A", "B"], ["B", "C"])
    assert loader.batches == [["a", "b"], ["c"]]


@pytest.mark.parametrize("way", ["list", "single"])
async def test_joining_a_call_that_just_fails(way: str) -> None:
    """A list that joins a call in the turn it fails has that failure in the call's places, and the
    answers of its own new keys."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    first: Awaitable[Any] = (
        asyncio.create_task(loader.load_all(["a"])) if way == "list" else loader.load("a")
    )
    await asked(loader, 1)
    loader.failure = failure = UpstreamUnavailable("down")
    joined = asyncio.create_task(loader.load_all(["a", "b"]))
    loader.gate.set()  # wakes the first call after `joined` has begun
    while not joined.done() and len(loader.batches) < 2:
        await asyncio.sleep(0)
    loader.failure = None
    ended: list[Any] = list(await asyncio.gather(first, return_exceptions=True))
    assert ended == ([[failure]] if way == "list" else [failure])
    assert (await joined)[0] is failure
    assert loader.batches == [["a"], ["b"]]


async def test_lists_begun_together_ask_once() -> None:
    """Of lists that begin in one turn no key is asked for twice, whatever else they join."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    lists = ["a", "ab", "b", "bca"]
    loads = [asyncio.create_task(loader.load_all(list(keys))) for keys in lists]
    await asked(loader, 3)
    loader.gate.set()
    assert await asyncio.gather(*loads) == [list(keys.upper()) for keys in lists]
    assert loader.batches == [["a"], ["b"], ["c"]]


async def test_long_lists_begun_together_ask_once() -> None:
    """Two lists too long for one call, begun in one turn, make the calls of one."""
    loader = UpperByTextLoader()
    keys = list("abcdefgh")
    one, other = await asyncio.gather(loader.load_all(keys), loader.load_all(keys))
    assert one == other == list("ABCDEFGH")
    assert [len(batch) for batch in loader.batches] == [5, 3]


async def test_long_list_left_before_it_asked() -> None:
    """A long list cancelled before its calls have begun leaves nobody waiting for them."""
    loader = UpperByTextLoader()
    keys = list("abcdefgh")
    first = asyncio.create_task(loader.load_all(keys))
    joined = asyncio.create_task(loader.load_all(keys))
    await asyncio.sleep(0)
    assert loader.batches == []
    first.cancel()
    async with asyncio.timeout(10):
        assert await joined == list("ABCDEFGH")
    assert first.cancelled()
    assert [len(batch) for batch in loader.batches] == [5, 3]


async def test_leaving_costs_only_oneself() -> None:
    """When the list that asked is cancelled, those who joined it ask for themselves, once."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    first = asyncio.create_task(loader.load_all(["a", "b", "c"]))
    await asked(loader, 1)
    joined = asyncio.create_task(loader.load_all(["a", "b"]))
    single = loader.load("c")
    await asyncio.sleep(0)
    first.cancel()
    await asked(loader, 3)
    loader.gate.set()
    assert (await joined, await single) == (["A", "B"], "C")
    assert first.cancelled()
    assert sorted(loader.batches) == [["a", "b"], ["a", "b", "c"], ["c"]]


async def test_joined_list_may_leave() -> None:
    """A list that joined another's call, or a single load, leaves without taking it along."""
    loader = UpperByTextLoader()
    loader.gate.clear()
    first = asyncio.create_task(loader.load_all(["a"]))
    single = loader.load("b")
    await asked(loader, 2)
    joined = asyncio.create_task(loader.load_all(["a", "b"]))
    await asyncio.sleep(0)
    joined.cancel()
    loader.gate.set()
    assert (await first, await single) == (["A"], "B")
    assert joined.cancelled()


async def test_cancelled_single_load_is_asked_anew() -> None:
    """A single load somebody cancelled has no answer: a list asks for its key itself."""
    loader = UpperByTextLoader()
    loader.load("a").cancel()
    assert await loader.load_all(["a"]) == ["A"]
