"""Promises of persisted_queries/devices.py."""

import random
import tracemalloc

import pytest

from persisted_queries.devices import RANGE, RELEASE_LIMIT, Devices


def hashes(count: int, seed: int = 1) -> list[int]:
    drawn = random.Random(seed)
    return [drawn.randrange(RANGE) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 500, RELEASE_LIMIT - 1])
def test_few_devices_count_exactly(count: int) -> None:
    """Below the limit the count is exact, however often a device comes."""
    found = Devices(RELEASE_LIMIT)
    for _ in range(3):
        found.add(hashes(count))
    assert found.count() == count


@pytest.mark.parametrize("count", [RELEASE_LIMIT, 5_000, 50_000])
def test_many_devices_are_estimated(count: int) -> None:
    """Above the limit the estimate is within four standard errors (13 %), over several draws."""
    for seed in range(3):
        found, seen = Devices(RELEASE_LIMIT), hashes(count, seed)
        for begin in range(0, count, 700):
            found.add(seen[begin : begin + 700])
        assert abs(found.count() / count - 1) < 4 / (RELEASE_LIMIT - 2) ** 0.5


def test_merging_equals_counting_together() -> None:
    """Parts merged in any order give what one object that saw everything gives, to the hash."""
    everything = hashes(20_000)
    together = Devices(256, everything)
    parts = [Devices(256, everything[part::7]) for part in range(7)]
    parts[3].add(everything[:5_000])  # seen by two of them
    merged = Devices(256)
    for part in reversed(parts):
        merged.merge(part)
    assert merged.encode() == together.encode()
    assert merged.count() == together.count()


def test_the_coarser_limit_holds() -> None:
    """A fine sum and a coarse one merge to a coarse one, whichever comes first."""
    fine, coarse = Devices(1_024, hashes(5_000)), Devices(256, hashes(5_000, seed=2))
    other = Devices.decode(256, coarse.encode())
    coarse.merge(fine)
    fine.merge(other)
    assert fine.limit == coarse.limit == 256
    assert fine.encode() == coarse.encode()
    assert len(fine.encode()) == 256 * 8


def test_encoded_devices_come_back() -> None:
    """What was encoded decodes to the same count and goes on counting."""
    found = Devices(256, hashes(3_000))
    back = Devices.decode(256, found.encode())
    assert back.count() == found.count()
    found.add(hashes(3_000, seed=9))
    back.add(hashes(3_000, seed=9))
    assert back.encode() == found.encode()


@pytest.mark.parametrize("limit", [3, 16, 256])
def test_the_smallest_are_held(limit: int) -> None:
    """However hashes come, one by one, again or in heaps, the smallest are held, each once."""
    drawn, found, seen = random.Random(3), Devices(limit), set[int]()
    while len(seen) < 2_000:
        few = [drawn.randrange(5_000) for _ in range(drawn.choice([1, 1, 2, 300]))]
        seen.update(few)
        found.add(few)
        assert Devices.decode(limit, found.encode()).encode() == found.encode()
        assert found.encode() == b"".join(one.to_bytes(8, "big") for one in sorted(seen)[:limit])


def test_devices_take_little_room() -> None:
    """Two hundred devices take two kilobytes; there are as many such sums as documents times
    releases."""
    seen = hashes(200)
    tracemalloc.start()
    found = Devices(256)
    for one in seen:
        found.add([one])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.count() == 200
    assert taken < 2_048


def test_cut_off_hashes_are_refused() -> None:
    """Bytes that are no whole hashes are an error, not a device less."""
    with pytest.raises(ValueError, match="multiple"):
        Devices.decode(256, b"1234567890")
