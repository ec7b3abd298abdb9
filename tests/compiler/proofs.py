"""The proofs of this folder in short form, for a gate that asks whether they catch a bug.

Each tells in a sentence what is wrong, or None. They look at whatever compiler is loaded now.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib import import_module
from itertools import product
from typing import Any

from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.fenced_runs import fenced_fuzz
from tests.compiler.fuzz.runs import fuzz
from tests.compiler.leaf_table import differences
from tests.compiler.leaves import LEAVES
from tests.compiler.strawberry_runs import differs
from tests.compiler.strawberry_schema import schema
from tests.compiler.subject import Subject

SCALARS = ("own Odd", "Int", "Float", "String", "Boolean", "ID", "strawberry Date")
ENUMS = ("own Strict", "own Colour", "own LevelMember", "strawberry Level")
TABLE_KINDS = ("attribute", "resolver", "awaitable")
FUZZ_RUNS = 500
FENCED_RUNS = 400
PLATFORM_SEEDS = 15
VARIABLE_RUNS = 60
STRAWBERRY_SEEDS = 60
PATIENCE_S = 3.0


async def table() -> str | None:
    """The table of leaf values, for scalars."""
    return await _cells_of(SCALARS)


async def enums() -> str | None:
    """The table of leaf values, for enums."""
    return await _cells_of(ENUMS)


async def _cells_of(leaves: Sequence[str]) -> str | None:
    executor = Subject().executor
    for leaf, kind in product(leaves, TABLE_KINDS):
        found = await differences(executor, LEAVES[leaf], kind)
        if found:
            return found[0]
    return None


async def random_operations() -> str | None:
    """The fuzz."""
    tally = await fuzz(Subject().executor, 1, FUZZ_RUNS, stop_at=1)
    return str(tally.wrong[0]) if tally.wrong else None


async def directed() -> str | None:
    """One small case for each thing that goes wrong first."""
    return await _tests_of("tests.compiler.test_directed")


async def waves() -> str | None:
    """What leaves together, what waits for whom, and how long."""
    first = await _tests_of("tests.compiler.test_batches")
    return first or await _tests_of("tests.unit.bff.plans.test_waves")


async def platforms() -> str | None:
    """Random operations on a platform's own schema, over its loaders."""
    module = import_module("tests.compiler.platforms")
    platform = module.Platform("ios")
    for seed in range(1, PLATFORM_SEEDS):
        for asked in platform.operations(seed, 2):
            found = await platform.differs(asked, seed, Counter[str]())
            if found is not None:
                return str(found)
    return None


async def variables() -> str | None:
    """Random variables."""
    module = import_module("tests.compiler.variables")
    for name, declared in module.SCHEMAS.items():
        for run in range(VARIABLE_RUNS):
            found = module.differs(declared, Dice(name, run), Counter[str]())
            if found is not None:
                return str(found)
    return None


async def strawberry() -> str | None:
    """A schema that uses what Strawberry offers."""
    first = await _tests_of("tests.compiler.test_strawberry")
    if first is not None:
        return first
    executor, made = Subject().executor, schema()
    for seed in range(1, STRAWBERRY_SEEDS):
        found = await differs(executor, made, seed, Counter[str]())
        if found is not None:
            return found
    return None


async def fences() -> str | None:
    """What a fence does at each kind of position, and in random worlds."""
    first = await _tests_of("tests.compiler.test_fence_table")
    if first is not None:
        return first
    tally = await fenced_fuzz(1, FENCED_RUNS, stop_at=1)
    return str(tally.wrong[0]) if tally.wrong else None


PROOFS: dict[str, Callable[[], Awaitable[str | None]]] = {
    "table": table,
    "enums": enums,
    "directed": directed,
    "fuzz": random_operations,
    "waves": waves,
    "variables": variables,
    "strawberry": strawberry,
    "platforms": platforms,
    "fences": fences,
}


async def caught(first: str) -> str | None:
    """What the first proof says that says anything; it begins with the one named."""
    for name in sorted(PROOFS, key=lambda name: name != first):
        try:
            found = await PROOFS[name]()
        except Exception as problem:
            found = f"{type(problem).__name__}: {problem}"
        if found is not None:
            return f"{name}: {found}"
    return None


async def _tests_of(module: str) -> str | None:
    """The tests of a module that need no fixture."""
    for name, test in inspect.getmembers(import_module(module), inspect.isfunction):
        if not name.startswith("test_"):
            continue
        for arguments in _cases(test):
            others = asyncio.all_tasks()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    running = test(**arguments)
                    if inspect.isawaitable(running):
                        await running
            except (Exception, asyncio.CancelledError) as problem:
                return f"{name}({arguments or ''}): {type(problem).__name__}: {problem}"
            finally:
                await _end(asyncio.all_tasks() - others)
    return None


async def _end(left: set[asyncio.Task[Any]]) -> None:
    """What a test that failed left running must not disturb another."""
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _cases(test: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """The arguments a test is called with."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    columns = [list(_column(*mark.args)) for mark in marks]
    for row in product(*columns):
        arguments = {name: value for one in row for name, value in one.items()}
        if arguments.keys() == inspect.signature(test).parameters.keys():
            yield arguments


def _column(names: str | tuple[str, ...], values: Any) -> Iterator[dict[str, Any]]:
    several = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    for value in values:
        row = getattr(value, "values", value)
        yield dict(zip(several, row if len(several) > 1 else (row,), strict=True))
