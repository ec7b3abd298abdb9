"""What was verified once, in a folder of this machine, so that a gateway starts without the store.

It promises nothing: what it holds is verified again when read, and a folder that is full, gone or
not writable costs only the memory of a restart.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Head(NamedTuple):
    """The end of a log that was seen: nothing older is taken after it."""

    number: int
    hash: str


class Cache:
    """One folder; several processes may share it. None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.failed = 0  # writes the file system refused

    def get(self, path: str) -> bytes | None:
        if self._folder is None:
            return None
        try:
            return (self._folder / path).read_bytes()
        except OSError:
            return None

    def put(self, path: str, data: bytes) -> None:
        """Whole or not at all."""
        if self._folder is None:
            return
        target = self._folder / path
        unfinished = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            _write(unfinished, data)
            unfinished.replace(target)
        except OSError:
            self.failed += 1
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def head(self, platform: str) -> Head | None:
        raw = self.get(f"heads/{platform}")
        if raw is None:
            return None
        try:
            number, hashed = json.loads(raw)
            return Head(int(number), str(hashed))
        except (ValueError, TypeError):
            return None

    def remember(self, platform: str, head: Head) -> None:
        """Never goes back: another process may have seen more."""
        known = self.head(platform)
        if known is None or known.number < head.number:
            self.put(f"heads/{platform}", json.dumps(head).encode())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
