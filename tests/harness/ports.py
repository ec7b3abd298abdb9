"""Ports for stacks: blocks that no other test process chooses meanwhile."""

from __future__ import annotations

import random
import socket

# Below the ports systems hand out by themselves.
FIRST, LAST, STRIDE = 10_000, 32_000, 200
# What a stack listens on above its base; the base itself nobody does.
USED = (1, 2, 3, 101, 102, 103)
# In a stride blocks lie ten apart: gateways and services get a few more ports before two meet.
BASES = [stride + offset for stride in range(FIRST, LAST, STRIDE) for offset in range(0, 100, 10)]

_reserved: list[socket.socket] = []


def free_block() -> int:
    """A base port above which the stack's ports are free, this process's until it ends: its base
    stays bound, so that of processes choosing at once only one gets it. Raises RuntimeError."""
    # Begun anywhere: processes side by side rarely have to pass over each other's.
    for base in random.sample(BASES, len(BASES)):
        reservation = _bound(base)
        if reservation is None:
            continue
        if all(_is_free(base + offset) for offset in USED):
            _reserved.append(reservation)
            return base
        reservation.close()
    raise RuntimeError(f"no free block of ports between {FIRST} and {LAST}; end what holds them")


def _bound(port: int) -> socket.socket | None:
    """A socket bound to a port of 127.0.0.1; None where it is taken. Without SO_REUSEADDR, so that
    the system lets one process have it."""
    bound = socket.socket()
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    return bound


def _is_free(port: int) -> bool:
    probe = _bound(port)
    if probe is None:
        return False
    probe.close()
    return True
