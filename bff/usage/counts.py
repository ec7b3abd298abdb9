"""What was used since the last look, by (release, document); the only part a request pays for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Pair = tuple[str, str]
"""Release as the client told it (`<version>+<build>`, `<version>`, or "" for neither) and document
hash ("" for what is not registered or was refused before a document was found)."""

Used = Sequence[tuple[str, bool]]
"""The operations of one exchange: document hash or "", and whether the answer held an error."""

Counting = Callable[[str | None, str | None, Used, int], None]
"""`Counts.count`, for whoever is told of answers."""

# Distinct devices of a pair noted between two looks, which come every second: what is beyond them
# came while the looks failed to come, and is counted but not told apart.
MAX_DEVICES = 100_000


class Count:
    """A sum that grows; `devices` are ids as sent, hashed and forgotten at the next look."""

    __slots__ = ("bytes_out", "devices", "errors", "requests")

    def __init__(self) -> None:
        self.requests = self.errors = self.bytes_out = 0
        self.devices: set[str] = set()


class Counts:
    """One object per process; used by its event loop alone."""

    def __init__(self) -> None:
        self._counts: dict[Pair, Count] = {}

    def count(self, release: str | None, device: str | None, used: Used, size: int) -> None:
        """One exchange was answered with `size` bytes as sent; the operations of a batch share
        them evenly."""
        release = release or ""
        if len(used) > 1:
            share, rest = divmod(size, len(used))
            for document, failed in used:
                self._add((release, document), failed, share + rest, device)
                rest = 0
        elif used:
            document, failed = used[0]
            self._add((release, document), failed, size, device)

    def _add(self, pair: Pair, failed: bool, size: int, device: str | None) -> None:
        found = self._counts.get(pair)
        if found is None:
            found = self._counts[pair] = Count()
        found.requests += 1
        found.bytes_out += size
        if failed:
            found.errors += 1
        if device is not None and len(found.devices) < MAX_DEVICES:
            found.devices.add(device)

    def take(self) -> dict[Pair, Count]:
        """All since the last call; counting begins anew."""
        taken, self._counts = self._counts, {}
        return taken


def uncounted(_release: str | None, _device: str | None, _used: Used, _size: int) -> None:
    """Nobody wants to know."""
