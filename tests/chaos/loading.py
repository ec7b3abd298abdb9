"""Loaders as processes: one or several at once, each on the core the gateway is not on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from tests.bench.processes import ROOT
from tests.chaos.loader import Found, Plan


async def loaded(*plans: Plan) -> list[Found]:
    """Run these plans at once. Raises RuntimeError for a loader that failed."""
    return list(await asyncio.gather(*map(_one, plans)))


async def _one(plan: Plan) -> Found:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.loader"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate(msgspec.json.encode(plan))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"a loader ended with {process.returncode}; see its words in stderr")
    return msgspec.json.decode(said, type=Found)


def texts(requests: Sequence[bytes]) -> list[str]:
    """Requests as a plan holds them."""
    return [one.decode("latin-1") for one in requests]
