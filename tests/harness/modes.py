"""Which way operations are executed in this run of the tests: compiled, or all by graphql-core.

`BFF__PLANS__MODE` decides, as it does for every gateway a test starts. In compiled mode a gateway
is only used once its plans are there, and an answer that ran generic all the same is a failure.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

from bff import config as settings_module

COMPILED = settings_module.load().plans.mode == "compiled"
WAIT_S = 60

_SAMPLE = re.compile(r"^(facet_plans_compiled|facet_documents_registered) (\S+)$", re.MULTILINE)


def plans_are_ready(metrics: str) -> bool:
    """Whether every registered document is prepared and has its plan, by a gateway's /metrics."""
    found = {name: float(value) for name, value in _SAMPLE.findall(metrics)}
    documents = found.get("facet_documents_registered", 0)
    return not COMPILED or 0 < documents <= found.get("facet_plans_compiled", 0)


async def until_compiled(read_metrics: Callable[[], Awaitable[str]]) -> None:
    """Wait for the plans of a gateway. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while not plans_are_ready(await read_metrics()):
            await asyncio.sleep(0.01)


def wait_until_compiled(read_metrics: Callable[[], str]) -> None:
    """The same, outside of a loop."""
    end = time.monotonic() + WAIT_S
    while not plans_are_ready(read_metrics()):
        if time.monotonic() > end:
            raise TimeoutError(f"the plans of a gateway were not there after {WAIT_S} s")
        time.sleep(0.02)


def fallbacks(metrics: str) -> dict[str, float]:
    """What ran generic, by level and reason, by a gateway's /metrics."""
    found = re.findall(r"^facet_plan_fallbacks_total\{(.*)\} (\S+)$", metrics, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def assert_by_plan(body: dict[str, object]) -> None:
    """An answer in development tells how it was executed; it must be the way of this run."""
    extensions = body.get("extensions")
    if isinstance(extensions, dict) and "plan" in extensions:
        assert extensions["plan"] == ("compiled" if COMPILED else "generic(mode)"), extensions
