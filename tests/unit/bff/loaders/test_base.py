"""How keys become calls: gathered, deduplicated, in order, in batches a service takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiodataloader import DataLoader

from bff.contract import Scope
from bff.errors import NotFound, Unauthenticated, UpstreamUnavailable
from bff.loaders.base import Loader, each
from bff.upstreams.method import Answer, Method
from tests.unit.bff.upstreams.fakes import VIEWER, by_path, caller


class Numbers(Answer, frozen=True):
    numbers: list[int]


SHARED = Method("content", "numbers", "GET", "/numbers", Scope.SHARED, Numbers)
OWN = Method("content", "own", "GET", "/own", Scope.VIEWER, Numbers)


class DoubleByNumberLoader(Loader[int, int]):
    """Doubles; 13 is nowhere to be found."""

    method = SHARED

    def __init__(self, *, viewer: bool = True, error: Exception | None = None) -> None:
        super().__init__(caller(by_path({}), VIEWER if viewer else None))
        self.batches: list[list[int]] = []
        self.error = error

    async def fetch(self, keys: Sequence[int]) -> list[int | None]:
        self.batches.append(list(keys))
        if self.error is not None:
            raise self.error
        return [None if key == 13 else key * 2 for key in keys]


class OwnByNumberLoader(DoubleByNumberLoader):
    method = OWN


def test_scope_is_the_methods() -> None:
    """A loader is a viewer's if the method behind it is, in a subclass too."""
    assert DoubleByNumberLoader.scope is Scope.SHARED
    assert OwnByNumberLoader.scope is Scope.VIEWER


async def test_loader_has_all_aiodataloader_makes() -> None:
    """Our constructor stands in for aiodataloader's: whatever that one sets is there."""

    class Plain(DataLoader[int, int]):
        async def batch_load_fn(self, keys: list[int]) -> list[int]:
            return keys

    loader = DoubleByNumberLoader()
    made = vars(Plain())
    assert {"loop", "_cache", "_queue"} <= made.keys()
    assert [name for name in made if not hasattr(loader, name)] == []
    assert [type(getattr(loader, name)) for name in ("_cache", "_queue")] == [dict, list]
    assert await loader.prime(3, 5).load(3) == 5
    assert await loader.clear(3).load_many([3, 3]) == [6, 6]
    assert loader.batches == [[3]]


async def test_keys_become_one_call() -> None:
    """Keys asked for in one turn are fetched together, and each gets its own answer."""
    loader = DoubleByNumberLoader()
    found = await asyncio.gather(*(loader.load(key) for key in (3, 1, 13, 2)))
    assert found == [6, 2, None, 4]
    assert loader.batches == [[3, 1, 13, 2]]


async def test_repeated_key_is_asked_once() -> None:
    """The same key twice, at once or later, costs one key of one call."""
    loader = DoubleByNumberLoader()
    assert await asyncio.gather(*(loader.load(key) for key in (1, 2, 1))) == [2, 4, 2]
    assert await loader.load(2) == 4
    assert loader.batches == [[1, 2]]


@pytest.mark.parametrize(("count", "sizes"), [(200, [200]), (201, [200, 1]), (450, [200, 200, 50])])
async def test_many_keys_become_several_calls(count: int, sizes: list[int]) -> None:
    """Services take 200 keys a call: more keys are split, and answered in order."""
    loader = DoubleByNumberLoader()
    found = await asyncio.gather(*(loader.load(1000 + key) for key in range(count)))
    assert found == [2 * (1000 + key) for key in range(count)]
    assert [len(batch) for batch in loader.batches] == sizes


async def test_error_reaches_every_key() -> None:
    """A call that failed is the error of each key it carried, and asking again asks again."""
    loader = DoubleByNumberLoader(error=UpstreamUnavailable("down"))
    found = await asyncio.gather(*(loader.load(key) for key in (1, 2)), return_exceptions=True)
    assert [type(one) for one in found] == [UpstreamUnavailable] * 2
    loader.error = None
    assert await loader.load(1) == 2


async def test_viewer_loader_needs_a_viewer() -> None:
    """However it is reached, a viewer's loader fetches nothing when nobody is signed in."""
    loader = OwnByNumberLoader(viewer=False)
    with pytest.raises(Unauthenticated):
        await loader.load(1)
    assert loader.batches == []
    assert await OwnByNumberLoader().load(1) == 2


async def test_each_keeps_failures_apart() -> None:
    """One of several independent calls that fails costs its own place only."""

    async def call(number: int) -> int:
        if number == 2:
            raise NotFound("no two")
        return number

    first, second, third = await each(call(number) for number in (1, 2, 3))
    assert (first, third) == (1, 3)
    assert isinstance(second, NotFound)


async def test_each_raises_faults_of_ours() -> None:
    """What is no answer of a service is not dressed up as one."""

    async def broken() -> int:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await each([broken()])
