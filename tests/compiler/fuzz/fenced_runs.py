"""Runs the fuzz within random fences: compiled plans, graphql-core and the oracle must agree.

The worlds, documents and variables are those of `runs.py`; each document gets several fences, so
that plans of several classes are kept side by side.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

from bff.fence import Fence
from tests.compiler.answers import Answer, Path, Told, answer, typed
from tests.compiler.fuzz import fences
from tests.compiler.fuzz.compare import Verdict, compare
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.oracle import Leak, Oracle
from tests.compiler.fuzz.runs import SETTLING, Case, Tally, difference, documents, is_mutation
from tests.compiler.fuzz.scene import Scene
from tests.compiler.fuzz.world import World

FENCES = 4
ROUNDS = 8


@dataclass(frozen=True)
class Run:
    """One execution and all that decides it."""

    world: World
    document: DocumentNode
    variables: dict[str, Any]
    at_once: bool
    fence: Fence
    touched: Any


async def fenced_fuzz(seed: int, runs: int, stop_at: int = 5) -> Tally:
    """Compare in so many runs that meet something of a fence; ends at `stop_at` differences."""
    tally = Tally()
    while tally.runs < runs and len(tally.wrong) < stop_at:
        await _one_world(World(seed), tally)
        seed += 1
    return tally


async def _one_world(world: World, tally: Tally) -> None:
    texts = list(documents(world, tally))
    for round_ in range(ROUNDS):
        for number, document, parsed in texts:
            fenced = fences.draw(world.schema, Dice(world.seed, "fence", round_ % FENCES))
            touched = touched_by(world.schema, parsed, fenced)
            if touched is None:
                tally.counts["met nothing of the fence"] += 1
                continue
            chance = Dice(world.seed, number, round_ % (ROUNDS - 1), "variables")
            variables = document.assignments(chance)
            at_once = not world.temper.awaits and round_ % 2 == 1
            said = await _compare(Run(world, parsed, variables, at_once, fenced, touched), tally)
            if said is not None:
                tally.wrong.append(Case(world.seed, number, round_, *said))


def touched_by(schema: GraphQLSchema, document: DocumentNode, fenced: Fence) -> Any:
    """What the first operation of a document meets of a fence, by the gateway as it is now."""
    fencing = import_module("bff.plans.fencing")
    return fencing.touched_by(schema, document, document.definitions[0], fenced)


async def _compare(run: Run, tally: Tally) -> tuple[str, str] | None:
    """One run; what is wrong with it, if anything."""
    generic, compiled = fences.generic(run.touched), fences.compiled(run.touched)
    core, expected = await _execute(generic, run)
    found, scene = await _execute(compiled, run)
    tally.runs += 1
    try:
        verdict = compare(core, found)
    except AssertionError as wrong:
        return "ERROR OF NOTHING", str(wrong)
    if verdict.is_to_be_proven and not await _are_real(found, run):
        verdict = Verdict.ERRORS
    tally.counts[verdict.value] += 1
    if not verdict.allowed:
        return verdict.value, difference(core, found)
    if core.raised:
        return None
    counts = generic.made.withheld
    _note(tally, core, counts)
    if counts != compiled.made.withheld:
        return "DIFFERENT COUNTS", f"{compiled.made.withheld}, not {counts}"
    if not generic.made.raw_errors and expected.calls != scene.calls:
        return "DIFFERENT CALLS", f"{expected.calls - scene.calls} {scene.calls - expected.calls}"
    return _unlike_the_oracle(run, generic.made, core) or _shows(found)


def _note(tally: Tally, core: Answer, counts: Any) -> None:
    tally.counts["with errors"] += bool(core.errors)
    tally.counts["awaited"] += core.waited
    for name in ("replaced", "nulled", "dropped"):
        tally.counts[f"with {name}"] += bool(getattr(counts, name))
    tally.counts["root gone"] += core.data is None and any(counts)


def _unlike_the_oracle(run: Run, executor: Any, core: Answer) -> tuple[str, str] | None:
    oracle = Oracle(executor, run.fence)
    try:
        seen = oracle.answer()
    except Leak as leak:
        return "UNKNOWN TO THE BUILD", str(leak)
    if typed(seen.value) != core.typed:
        return "UNLIKE THE ORACLE", f"{core.typed}, not {typed(seen.value)}"
    if executor.marked is None:
        return None
    if seen.counts != tuple(executor.withheld):
        return "COUNTS UNLIKE THE ORACLE", f"{executor.withheld}, not {seen.counts}"
    told = oracle.errors(seen)
    if told != set(core.errors):
        return "ERRORS UNLIKE THE ORACLE", f"{core.errors}, not {told}"
    return None


def _shows(found: Answer) -> tuple[str, str] | None:
    """Whether a mark is left in the answer."""
    shown = "WITHHELD" in found.typed
    return ("A MARK IS SENT", found.typed[:200]) if shown else None


async def _are_real(compiled: Answer, run: Run) -> bool:
    """Whether all errors told are among those there are, wherever they stand in their lists."""
    first, *others = run.document.definitions
    apart = DirectiveNode(name=NameNode(value=GraphQLDisableErrorPropagationDirective.name))
    assert isinstance(first, OperationDefinitionNode)
    whole = DocumentNode(definitions=(replace(first, directives=(apart,)), *others))
    executor = fences.generic(run.touched)
    await _execute(executor, replace(run, document=whole, at_once=False))
    everything = {_anywhere(Told.of(error)) for error in executor.made.raw_errors}
    failed = {path for path, _ in everything}
    return all(
        one in everything or any(one[0][:length] in failed for length in range(len(one[0])))
        for one in map(_anywhere, compiled.errors)
    )


def _anywhere(error: Told) -> tuple[Path, str]:
    return tuple("*" if isinstance(key, int) else key for key in error.path), error.words


async def _execute(executor: Any, run: Run) -> tuple[Answer, Scene]:
    scene = run.world.scene()
    found = await answer(
        executor,
        run.world.schema,
        run.document,
        root=run.world.root(is_mutation(run.document)),
        context=scene,
        variables=run.variables,
        at_once=run.at_once,
        operation_name="Asked",
        **run.world.options,
    )
    for _ in range(SETTLING if found.waited else 0):
        await asyncio.sleep(0)
    return found, scene
