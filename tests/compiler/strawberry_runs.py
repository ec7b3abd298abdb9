"""Random operations on the Strawberry schema, by graphql-core and by compiled plans."""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphql import GraphQLSchema, parse, validate
from graphql.execution import Executor
from graphql.execution.incremental import IncrementalExecutor

from tests.compiler.answers import Answer, answer
from tests.compiler.fuzz.compare import compare
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.documents import WORDS, Inputs, Writer

INPUTS = Inputs({**WORDS, "String": ("x", "", "wrong", "value")})
ROUNDS = 3


async def differs(
    executor: type[Executor[Any]], schema: GraphQLSchema, seed: int, tally: Counter[str]
) -> str | None:
    """A document of a seed with several variables; the first difference that is not allowed."""
    dice = Dice("strawberry", seed)
    document = Writer(schema, dice, INPUTS, breadth=5).document(mutation=seed % 6 == 0)
    parsed = parse(document.text)
    if validate(schema, parsed):
        tally["left out"] += 1
        return None
    for round_ in range(ROUNDS):
        variables = document.assignments(Dice("strawberry", seed, round_))
        core, compiled = [
            await answer(one, schema, parsed, context=_context(), variables=variables)
            for one in (IncrementalExecutor, executor)
        ]
        verdict = compare(core, compiled)
        tally[verdict.value] += 1
        tally["with errors"] += bool(core.errors)
        if not verdict.allowed:
            return f"seed {seed}, round {round_}: {verdict.value}: {_shown(core, compiled)}"
    return None


def _context() -> dict[str, Any]:
    return {"who": "somebody", "log": []}


def _shown(core: Answer, compiled: Answer) -> str:
    if core.typed != compiled.typed:
        return f"{compiled.typed}, not {core.typed}"
    missing, added = Counter(core.errors), Counter(compiled.errors)
    return f"missing {list(missing - added)[:3]}, added {list(added - missing)[:3]}"
