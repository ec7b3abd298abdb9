"""Promises of bff/store/memory.py."""

from bff.store.memory import MemoryTier


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_value_comes_back() -> None:
    """What was put is found again, and an unknown key is a miss."""
    tier = MemoryTier(10, 1000)
    await tier.put("a", b"1", 60)
    assert await tier.get("a") == b"1"
    assert await tier.get("b") is None


async def test_value_expires_by_its_ttl() -> None:
    """Every value has its own time, counted from its last put."""
    clock = Clock()
    tier = MemoryTier(10, 1000, clock)
    await tier.put("short", b"1", 1)
    await tier.put("long", b"2", 10)
    clock.now += 1.5
    assert await tier.get("short") is None
    assert await tier.get("long") == b"2"
    await tier.put("long", b"3", 10)
    clock.now += 9
    assert await tier.get("long") == b"3"


async def test_entries_are_bounded() -> None:
    """Beyond the number of entries the least recently used goes."""
    tier = MemoryTier(2, 1000)
    await tier.put("a", b"1", 60)
    await tier.put("b", b"2", 60)
    await tier.get("a")
    await tier.put("c", b"3", 60)
    assert [await tier.get(key) for key in "abc"] == [b"1", None, b"3"]


async def test_bytes_are_bounded() -> None:
    """Keys and values together never take more than the bytes allowed."""
    tier = MemoryTier(1000, 100)
    for index in range(50):
        await tier.put(f"{index:02}", b"x" * 18, 60)
        assert tier.size <= 100
    assert len(tier) == 5
    assert await tier.get("49") == b"x" * 18


async def test_oversized_value_drives_nothing_out() -> None:
    """A value larger than the tier is not kept; its older value is gone, the others stay."""
    tier = MemoryTier(10, 20)
    await tier.put("a", b"1", 60)
    await tier.put("b", b"2", 60)
    await tier.put("a", b"x" * 50, 60)
    assert await tier.get("a") is None
    assert await tier.get("b") == b"2"


async def test_replacing_counts_once() -> None:
    """Putting a key again takes the place of its old value in both bounds."""
    tier = MemoryTier(2, 100)
    await tier.put("b", b"2", 60)
    for _ in range(5):
        await tier.put("a", b"x" * 10, 60)
    assert (len(tier), tier.size) == (2, 13)
    assert await tier.get("b") == b"2"
