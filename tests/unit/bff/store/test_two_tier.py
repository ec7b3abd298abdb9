"""Promises of bff/store/two_tier.py; the second place fails on command here, for real elsewhere."""

from bff.store.memory import MemoryTier
from bff.store.tier import TierError
from bff.store.two_tier import STORE_FAILED, TwoTier


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Shared:
    """A second place that counts its calls and fails while `down`."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, float]] = {}
        self.calls = 0
        self.down = False
        self.closed = False

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise TierError("down")

    async def get(self, key: str) -> bytes | None:
        self._called()
        return self.kept[key][0] if key in self.kept else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self._called()
        self.kept[key] = (value, ttl_s)

    async def close(self) -> None:
        self.closed = True


async def test_first_place_alone_works() -> None:
    """Without a second place the two are the first."""
    tier = TwoTier(MemoryTier(10, 1000))
    await tier.put("a", b"1", 60)
    assert await tier.get("a") == b"1"
    assert await tier.get("b") is None
    await tier.close()


async def test_put_reaches_both_places() -> None:
    """A value is kept in both places with its time."""
    first, shared = MemoryTier(10, 1000), Shared()
    await TwoTier(first, shared).put("a", b"1", 60)
    assert await first.get("a") == b"1"
    assert shared.kept == {"a": (b"1", 60)}


async def test_first_place_spares_the_second() -> None:
    """A value found in this process is not asked for elsewhere."""
    shared = Shared()
    tier = TwoTier(MemoryTier(10, 1000), shared)
    await tier.put("a", b"1", 60)
    calls = shared.calls
    assert await tier.get("a") == b"1"
    assert shared.calls == calls


async def test_second_place_refills_the_first() -> None:
    """A value found only in the second place is kept here too, for a bounded time."""
    clock, shared = Clock(), Shared()
    first = MemoryTier(10, 1000, clock)
    shared.kept["a"] = (b"1", 60)
    tier = TwoTier(first, shared, refill_s=5, clock=clock)
    assert await tier.get("a") == b"1"
    assert await first.get("a") == b"1"
    clock.now += 6
    assert await first.get("a") is None


async def test_failure_is_a_counted_miss() -> None:
    """A second place that is down is a miss, counted once, and left alone for a moment."""
    clock, shared, events = Clock(), Shared(), list[str]()
    tier = TwoTier(MemoryTier(10, 1000), shared, pause_s=2, count=events.append, clock=clock)
    shared.down = True
    assert await tier.get("a") is None
    assert events == [STORE_FAILED]
    assert await tier.get("a") is None
    await tier.put("a", b"1", 60)
    assert await tier.get("a") == b"1"
    assert (shared.calls, events) == (1, [STORE_FAILED])


async def test_second_place_is_asked_again() -> None:
    """After the pause the second place is asked again, and used if it answers."""
    clock, shared, events = Clock(), Shared(), list[str]()
    tier = TwoTier(MemoryTier(10, 1000), shared, pause_s=2, count=events.append, clock=clock)
    shared.down = True
    await tier.put("a", b"1", 60)
    clock.now += 2
    await tier.put("a", b"1", 60)
    assert events == [STORE_FAILED, STORE_FAILED]
    shared.down = False
    clock.now += 2
    await tier.put("a", b"2", 60)
    assert shared.kept == {"a": (b"2", 60)}


async def test_close_reaches_both_places() -> None:
    """Closing lets go of both places."""
    shared = Shared()
    await TwoTier(MemoryTier(10, 1000), shared).close()
    assert shared.closed
