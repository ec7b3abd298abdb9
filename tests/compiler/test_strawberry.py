"""What Strawberry adds to resolvers stays as it is, by whichever way the compiler enters them."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import click
import pytest
from graphql import parse
from graphql.execution.incremental import IncrementalExecutor
from strawberry.types import Info

from tests.compiler.answers import answer
from tests.compiler.strawberry_runs import differs
from tests.compiler.strawberry_schema import schema
from tests.compiler.subject import Subject

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 60, 2_000


class OwnInfo(Info[Any, Any]):
    """An info class of the schema's own."""

    @property
    def python_name(self) -> str:
        return f"own {super().python_name}"


def _own_default(source: Any, name: str) -> Any:
    found = getattr(source, name)
    return f"own {found}" if name == "name" else found


SCHEMAS = {
    "usual": schema(),
    "own info": schema(info_class=OwnInfo),
    "own default resolver": schema(default_resolver=_own_default),
    "snake case": schema(auto_camel_case=False),
}
SCHEMA = SCHEMAS["usual"]

pytestmark = [
    # graphql-core itself drops coroutines that it cancels before they began.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def _hold(name: str, documents: int, capsys: pytest.CaptureFixture[str]) -> None:
    subject = Subject()
    ran = subject.compiled
    tally = Counter[str]()
    said = [
        await differs(subject.executor, SCHEMAS[name], seed, tally)
        for seed in range(SEED, SEED + documents)
    ]
    with capsys.disabled():
        click.echo(f"\n  Strawberry, {name}, FACET_SEED={SEED}: {dict(tally)}", nl=False)
    wrong = [one for one in said if one is not None]
    assert not wrong, "\n".join(wrong[:5])
    assert subject.compiled - ran > documents


@pytest.mark.parametrize("name", SCHEMAS)
async def test_strawberry_fields_equal_core(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Info, arguments, permissions, extensions, own fields, unions, generics: same answers, also
    where the schema has an info class or a default resolver of its own."""
    await _hold(name, SHORT, capsys)


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCHEMAS)
async def test_very_many_strawberry_operations(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for thousands of documents."""
    await _hold(name, LONG, capsys)


async def test_permissions_are_asked() -> None:
    """A field with permissions is not entered by the shorter way."""
    subject = Subject()
    ran = subject.compiled
    document = parse("{ yes: guarded no: guarded(allowed: false) later: guardedLater }")
    found = await answer(subject.executor, SCHEMA, document, context={"who": "x", "log": []})
    assert found.data == {"yes": "allowed True", "no": None, "later": "allowed True"}
    assert [error.path for error in found.errors] == [("no",)]
    assert subject.compiled == ran + 1


@pytest.mark.parametrize(
    ("variables", "shown"), [({}, "the in"), ({"p": "a "}, "a in"), ({"p": None}, None)]
)
async def test_variables_for_arguments_with_defaults(
    variables: dict[str, Any], shown: str | None
) -> None:
    """A variable that is left out leaves the argument to its default; null is refused where the
    argument must not be null."""
    document = parse("query ($p: String) { box { content { shown(prefix: $p) } } }")
    core, compiled = [
        await answer(one, SCHEMA, document, context={}, variables=variables)
        for one in (IncrementalExecutor, Subject().executor)
    ]
    assert compiled == core
    expected = {"box": {"content": {"shown": shown}}} if shown else None
    assert compiled.data == expected
    assert bool(compiled.errors) == (shown is None)
