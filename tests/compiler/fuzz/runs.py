"""Runs the fuzz: worlds from consecutive seeds, several documents each, several variables each.

Each document is executed more than once with different variables, and its documents in turn, so
that plans are found again, in every outcome of @skip and @include, among others of one schema.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.execution import Executor
from graphql.execution.incremental import IncrementalExecutor
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

from tests.compiler.answers import Answer, answer
from tests.compiler.fuzz.compare import Verdict, compare
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.documents import Document, Writer
from tests.compiler.fuzz.scene import Scene
from tests.compiler.fuzz.world import World

DOCUMENTS = 3
ROUNDS = 6
SETTLING = 12


@dataclass(frozen=True)
class Case:
    """One run, and how to have it again."""

    seed: int
    document: int
    round: int
    verdict: str
    said: str

    def __str__(self) -> str:
        where = f"seed {self.seed}, document {self.document}, round {self.round}"
        return f"{self.verdict} ({where}): {self.said}"


@dataclass
class Tally:
    """What came of many runs."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[Case] = field(default_factory=list)

    def shown(self) -> str:
        figures = ", ".join(f"{name} {times}" for name, times in self.counts.most_common())
        return f"{self.runs} runs: {figures}"


async def fuzz(executor: type[Executor[Any]], seed: int, runs: int, stop_at: int = 5) -> Tally:
    """Compare an executor with graphql-core in so many runs; ends at `stop_at` differences."""
    tally = Tally()
    while tally.runs < runs and len(tally.wrong) < stop_at:
        await _one_world(executor, World(seed), tally)
        seed += 1
    return tally


async def _one_world(executor: type[Executor[Any]], world: World, tally: Tally) -> None:
    texts = list(documents(world, tally))
    for round_ in range(ROUNDS):
        for number, document, parsed in texts:
            # The last round repeats the first, by the plan kept since.
            chance = Dice(world.seed, number, round_ % (ROUNDS - 1), "variables")
            variables = document.assignments(chance)
            at_once = not world.temper.awaits and round_ % 2 == 1
            said = await _compare(executor, world, parsed, variables, tally, at_once)
            if said is not None:
                tally.wrong.append(Case(world.seed, number, round_, *said))


def documents(world: World, tally: Tally) -> Iterator[tuple[int, Document, DocumentNode]]:
    """The valid documents of a world, numbered, the last one a mutation."""
    for number in range(DOCUMENTS):
        writer = Writer(world.schema, Dice(world.seed, "document", number))
        document = writer.document(mutation=number == DOCUMENTS - 1)
        parsed = parse(document.text)
        if validate(world.schema, parsed):
            tally.counts["document left out: fields that do not merge"] += 1
        else:
            yield number, document, parsed


async def _compare(
    executor: type[Executor[Any]],
    world: World,
    document: DocumentNode,
    variables: dict[str, Any],
    tally: Tally,
    at_once: bool,
) -> tuple[str, str] | None:
    """One run; what is wrong with it, if anything."""
    core, expected = await _execute(IncrementalExecutor, world, document, variables, at_once)
    compiled, found = await _execute(executor, world, document, variables, at_once)
    verdict = compare(core, compiled)
    if verdict.is_to_be_proven and not await _are_real(compiled, world, document, variables):
        verdict = Verdict.ERRORS
    tally.runs += 1
    tally.counts[verdict.value] += 1
    _note(core, expected, found, tally)
    if not verdict.allowed:
        return verdict.value, difference(core, compiled)
    if not core.errors and expected.calls != found.calls:
        return "DIFFERENT CALLS", f"{expected.calls - found.calls} {found.calls - expected.calls}"
    if is_mutation(document) and expected.events != found.events:
        return "DIFFERENT ORDER OF EFFECTS", f"{found.events}, not {expected.events}"
    return None


async def _are_real(
    compiled: Answer, world: World, document: DocumentNode, variables: dict[str, Any]
) -> bool:
    """Whether all errors told are among those there are. Below a list that failed itself that
    cannot be said: graphql-core tells none of its items' errors, or some, as they come."""
    first, *others = document.definitions
    apart = DirectiveNode(name=NameNode(value=GraphQLDisableErrorPropagationDirective.name))
    assert isinstance(first, OperationDefinitionNode)
    operation = replace(first, directives=(apart,))
    whole = DocumentNode(definitions=(operation, *others))
    everything, _ = await _execute(IncrementalExecutor, world, whole, variables, False)
    failed = {error.path for error in everything.errors}
    return all(
        error in everything.errors
        or any(error.path[:length] in failed for length in range(len(error.path)))
        for error in compiled.errors
    )


def is_mutation(document: DocumentNode) -> bool:
    """Whether the first operation of a document is one."""
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return operation.operation is OperationType.MUTATION


async def _execute(
    executor: type[Executor[Any]],
    world: World,
    document: DocumentNode,
    variables: dict[str, Any],
    at_once: bool,
) -> tuple[Answer, Scene]:
    scene = world.scene()
    root = world.root(is_mutation(document))
    found = await answer(
        executor,
        world.schema,
        document,
        root=root,
        context=scene,
        variables=variables,
        at_once=at_once,
        operation_name="Asked",
        **world.options,
    )
    for _ in range(SETTLING if found.waited else 0):
        await asyncio.sleep(0)
    return found, scene


def _note(core: Answer, expected: Scene, found: Scene, tally: Tally) -> None:
    tally.counts["with errors"] += bool(core.errors)
    tally.counts["awaited"] += core.waited
    tally.counts["batches of graphql-core"] += len(expected.batches)
    tally.counts["batches of compiled plans"] += len(found.batches)


def difference(core: Answer, compiled: Answer) -> str:
    """Where two answers part, in words."""
    if (core.raised, core.waited) != (compiled.raised, compiled.waited):
        return f"waited {compiled.waited}, {compiled.raised!r}, not {core.waited}, {core.raised!r}"
    if core.typed != compiled.typed:
        pairs = enumerate(zip(core.typed, compiled.typed, strict=False))
        at = next((number for number, (one, other) in pairs if one != other), 0)
        start = max(0, at - 60)
        return f"…{compiled.typed[start : at + 80]}…, not …{core.typed[start : at + 80]}…"
    missing = Counter(core.errors) - Counter(compiled.errors)
    added = Counter(compiled.errors) - Counter(core.errors)
    if not missing and not added:
        return f"errors in the order {compiled.errors[:4]}, not {core.errors[:4]}"
    return f"errors missing {list(missing)[:4]}, added {list(added)[:4]}"
