"""The resident memory of a process and all below it, now and at its highest since a mark."""

from __future__ import annotations

import re
from pathlib import Path

_PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found


def mark(pid: int) -> float:
    """Resident megabytes (2^20) now; from here on `highest` counts anew (proc(5), clear_refs)."""
    for one in family(pid):
        (_PROC / str(one) / "clear_refs").write_text("5")
    return _sum(pid, "VmRSS")


def highest(pid: int) -> float:
    """The most resident megabytes since the mark."""
    return _sum(pid, "VmHWM")


def _sum(pid: int, name: str) -> float:
    total = 0
    for one in family(pid):
        told = (_PROC / str(one) / "status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB$", told, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024
