"""A pytest plugin for graphql-core's own tests: which passed, and what their executions answered.

Told by the environment: `CORE_SUITE_REPORT` names the file written at the end, and with
`CORE_SUITE_MODE=compiled` graphql-core's two executors run compiled plans wherever these take an
operation. Loaded by name into a foreign suite, so it imports nothing of ours but the compiler.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from graphql.execution import Executor

# graphql.execution.execute is also the name of a function.
EXECUTE = importlib.import_module("graphql.execution.execute")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass
class Seen:
    """One test: its outcome, its executions by kind, and each response's data and errors."""

    outcome: str = "unknown"
    compiled: int = 0
    generic: int = 0
    partly: int = 0
    data: list[str] = field(default_factory=list)
    errors: list[list[str]] = field(default_factory=list)


TESTS: dict[str, Seen] = {}
REASONS: Counter[str] = Counter()
CURRENT: list[Seen] = []
BUILDING: list[bool] = []


def pytest_configure() -> None:
    """Listen to every response, and put the compiled executors in place."""
    _record_responses(Executor)
    _record_responses(EXECUTE.IncrementalExecutor)
    if _is_compiled():
        _compile()


def _is_compiled() -> bool:
    return os.environ["CORE_SUITE_MODE"] == "compiled"


def _record_responses(executor: type[Executor[Any]]) -> None:
    built = executor.__dict__.get("build_response")
    if built is None:
        return

    def build_response(self: Executor[Any], data: Any) -> Any:
        if CURRENT and not BUILDING:  # a subclass's own method may call this one
            CURRENT[0].data.append(ADDRESS.sub("", repr(data)))
            CURRENT[0].errors.append([str(one) for one in self.collected_errors.errors])
        BUILDING.append(True)
        try:
            return built(self, data)
        finally:
            BUILDING.pop()

    setattr(executor, "build_response", build_response)  # noqa: B010


def _compile() -> None:
    hook = importlib.import_module("bff.plans.hook")
    for name in ("IncrementalExecutor", "ExecutorThrowingOnIncremental"):
        base = getattr(EXECUTE, name)
        setattr(EXECUTE, name, type(f"Compiled{name}", (hook.CompiledMixin, base), {}))


def _counters() -> Any:
    return importlib.import_module("bff.plans.hook").CompiledMixin.plans.counters


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Note what a test's own executions did."""
    seen = TESTS.setdefault(item.nodeid, Seen())
    before = _counts() if _is_compiled() else (0, Counter[tuple[str, str]]())
    CURRENT[:] = [seen]
    try:
        return (yield)
    finally:
        CURRENT.clear()
        if _is_compiled():
            _note(seen, before)


def _counts() -> tuple[int, Counter[tuple[str, str]]]:
    counters = _counters()
    return counters.compiled, Counter(counters.fallbacks)


def _note(seen: Seen, before: tuple[int, Counter[tuple[str, str]]]) -> None:
    compiled, fallbacks = _counts()
    seen.compiled = compiled - before[0]
    for (level, reason), times in (fallbacks - before[1]).items():
        REASONS[f"{level}: {reason}"] += times
        if level == "operation":
            seen.generic += times
        else:
            seen.partly += times


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the outcome of the test itself, or of a broken fixture."""
    if report.when == "call" or report.outcome != "passed":
        TESTS.setdefault(report.nodeid, Seen()).outcome = report.outcome


def pytest_sessionfinish() -> None:
    """Write the report."""
    tests = {name: asdict(seen) for name, seen in TESTS.items()}
    report = Path(os.environ["CORE_SUITE_REPORT"])
    report.write_text(json.dumps({"tests": tests, "reasons": REASONS}), encoding="utf-8")
