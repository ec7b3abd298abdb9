"""Executing: variables first, then resolvers; data and located errors come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

import pytest
import strawberry
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, parse

from bff.context import Context
from bff.errors import BadVariables, NotFound
from bff.plans import variables as variables_module
from bff.plans.execute import Executed, Executor, Mode, graphql_schema
from bff.plans.variables import MAX_VARIABLE_ERRORS

RAN: list[str] = []


class _Free:
    """A context for resolvers that need none."""

    def remaining(self) -> float:
        return 60.0


@strawberry.input
class Filter:
    text: str
    limit: int = 10


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.input(one_of=True)
class Either:
    a: str | None = strawberry.UNSET
    b: int | None = strawberry.UNSET


@strawberry.input
class Everything:
    string: str
    int: int | None = None
    float: float | None = None
    boolean: bool | None = None
    id: strawberry.ID | None = None
    colour: Colour | None = None
    datetime: datetime | None = None
    date: date | None = None
    time: time | None = None
    decimal: Decimal | None = None
    uuid: UUID | None = None
    strings: list[str] | None = None
    filters: list[Filter] | None = None
    either: Either | None = None


@strawberry.type
class Query:
    @strawberry.field
    def everything(self, given: Everything) -> str | None:
        return None

    @strawberry.field
    def add(self, a: int, b: int = 1) -> int:
        RAN.append("add")
        return a + b

    @strawberry.field
    async def search(self, filter: Filter) -> str:
        await asyncio.sleep(0)
        RAN.append("search")
        return f"{filter.text}/{filter.limit}"

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound("gone")


SCHEMA = strawberry.Schema(Query)


@dataclass(frozen=True)
class Prepared:
    """A registered operation of a text."""

    document: DocumentNode
    definition: OperationDefinitionNode
    registered: bool = True
    document_hash: str = "0" * 64

    @property
    def name(self) -> str | None:
        return self.definition.name.value if self.definition.name else None

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        return self.document, self.definition


def prepared(text: str, name: str | None = None, registered: bool = True) -> Prepared:
    document = parse(text)
    operations = [
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    chosen = next(
        node for node in operations if name is None or (node.name and node.name.value == name)
    )
    return Prepared(document, chosen, registered)


MODE: list[Mode] = []


@pytest.fixture(params=["compiled", "generic"], autouse=True)
def _mode(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything here holds whichever way an operation is executed."""
    MODE[:] = [request.param]
    yield
    MODE.clear()


def executor(hide_suggestions: bool = False) -> Executor:
    return Executor(graphql_schema(SCHEMA), hide_suggestions, MODE[0])


async def run(
    text: str, variables: dict[str, Any] | None = None, name: str | None = None, **options: Any
) -> Executed:
    operation = prepared(text, name)
    made = executor(**options)
    if MODE[0] == "compiled":
        made.compile(operation, variables or {})
    RAN.clear()
    result = await made.execute(operation, variables or {}, cast("Context", _Free()))
    assert result.plan.startswith(MODE[0])
    return result


def test_graphql_schema_is_the_one_behind() -> None:
    """The graphql-core schema of a Strawberry schema is found."""
    assert isinstance(graphql_schema(SCHEMA), GraphQLSchema)


async def test_plain_fields_are_answered() -> None:
    """An operation without anything asynchronous is answered like any other."""
    result = await run("{ add(a: 1) }")
    assert (result.data, result.errors) == ({"add": 2}, [])


async def test_variables_are_coerced() -> None:
    """Declared variables reach resolvers as the types they were declared with, defaults too."""
    text = "query ($f: Filter!, $b: Int = 5) { search(filter: $f) add(a: 1, b: $b) }"
    result = await run(text, {"f": {"text": "x"}})
    assert result.data == {"search": "x/10", "add": 6}


async def test_undeclared_variables_are_ignored() -> None:
    """What the operation does not declare does not matter."""
    assert (await run("{ add(a: 1) }", {"unknown": object})).data == {"add": 2}


async def test_chosen_operation_runs() -> None:
    """Of several operations the chosen one runs, and the others do not."""
    result = await run("query A { add(a: 1) } query B { add(a: 10) }", name="B")
    assert result.data == {"add": 11}
    assert RAN == ["add"]


async def test_field_errors_stand_beside_data() -> None:
    """A failed field is null with its error's path and place; the exception is kept for masking."""
    result = await run("{ add(a: 1)\n missing }")
    assert result.data == {"add": 2, "missing": None}
    (error,) = result.errors or []
    assert error.path == ["missing"]
    assert isinstance(error.original_error, NotFound)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"a": None},
        {"a": "1"},
        {"a": 1.5},
        {"a": 2**40},
        {"a": True},
        {"a": [1]},
        {"a": {}},
    ],
)
async def test_bad_variables_run_nothing(variables: dict[str, Any]) -> None:
    """A value that does not fit is BAD_USER_INPUT, before any resolver ran."""
    with pytest.raises(BadVariables) as refused:
        await run("query Q($a: Int!) { add(a: $a) }", variables)
    assert RAN == []
    (error,) = refused.value.errors
    assert "$a" in error["message"]
    assert error["locations"] == [{"line": 1, "column": 9}]


async def test_bad_input_object_runs_nothing() -> None:
    """A field missing deep in an input object is refused the same way."""
    with pytest.raises(BadVariables) as refused:
        await run("query ($f: Filter!) { search(filter: $f) }", {"f": {"limit": 1}})
    assert RAN == []
    assert "text" in refused.value.errors[0]["message"]


async def test_variable_errors_are_bounded() -> None:
    """However many values are wrong, the answer stays short."""
    declared = " ".join(f"$v{n}: Int!" for n in range(50))
    used = " ".join(f"x{n}: add(a: $v{n})" for n in range(50))
    with pytest.raises(BadVariables) as refused:
        await run(f"query ({declared}) {{ {used} }}", {f"v{n}": "x" for n in range(50)})
    assert len(refused.value.errors) <= MAX_VARIABLE_ERRORS + 1


SECRET = "S3cret, found: S3cret. Found: S3cret"
MISFITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "string": ({"string": [SECRET]}, ".string", "String"),
    "int": ({"int": SECRET}, ".int", "Int"),
    "float": ({"float": SECRET}, ".float", "Float"),
    "boolean": ({"boolean": SECRET}, ".boolean", "Boolean"),
    "id": ({"id": [SECRET]}, ".id", "ID"),
    "enum": ({"colour": SECRET}, ".colour", "Colour"),
    "enum of another type": ({"colour": [SECRET]}, ".colour", "Colour"),
    "datetime": ({"datetime": SECRET}, ".datetime", "DateTime"),
    "date": ({"date": SECRET}, ".date", "Date"),
    "time": ({"time": SECRET}, ".time", "Time"),
    "decimal": ({"decimal": SECRET}, ".decimal", "Decimal"),
    "uuid": ({"uuid": SECRET}, ".uuid", "UUID"),
    "list": ({"strings": ["x", {"a": SECRET}]}, ".strings[1]", "String"),
    "list of one": ({"strings": {"a": SECRET}}, ".strings", "String"),
    "null in a list": ({"strings": [SECRET, None]}, ".strings[1]", "String!"),
    "null": ({"string": None, "uuid": SECRET}, ".string", "String!"),
    "object": ({"filters": [SECRET]}, ".filters[0]", "Filter"),
    "object of one": ({"filters": SECRET}, ".filters", "Filter"),
    "in an object of one": ({"filters": {"text": [SECRET]}}, ".filters.text", "String"),
    "missing field": ({"filters": [{"limit": SECRET}]}, ".filters[0]", "Filter"),
    "unknown field": ({"filters": [{"text": "", "limt": SECRET}]}, ".filters[0]", "Filter"),
    "wrong in one of": ({"either": {"a": [SECRET]}}, ".either.a", "String"),
}


@pytest.mark.parametrize("hidden", [True, False], ids=["production", "development"])
@pytest.mark.parametrize("name", MISFITS)
async def test_variable_errors_quote_nothing(name: str, hidden: bool) -> None:
    """An error names variable, path and expected type, and never shows the value: it may be a
    password."""
    given, path, expected = MISFITS[name]
    with pytest.raises(BadVariables) as refused:
        await run(
            "query ($given: Everything!) { everything(given: $given) }",
            {"given": {"string": "", **given}},
            hide_suggestions=hidden,
        )
    messages = [error["message"] for error in refused.value.errors]
    begin = f"Variable '$given' has invalid value at {path}: "
    assert any(message.startswith(begin) and f"'{expected}'" in message for message in messages)
    assert "S3cret" not in str((refused.value.errors, refused.value.message, refused.value))
    assert all(error["locations"] == [{"line": 1, "column": 8}] for error in refused.value.errors)


@pytest.mark.parametrize(
    "either", [{"a": SECRET, "b": 1}, {}, {"a": None}, SECRET, {"c": SECRET}, {"b": SECRET}]
)
async def test_one_of_quotes_nothing(either: Any) -> None:
    """Nor does what Strawberry says of an input object with one field of several."""
    with pytest.raises(BadVariables) as refused:
        await run(
            "query ($given: Everything!) { everything(given: $given) }",
            {"given": {"string": "", "either": either}},
        )
    assert "S3cret" not in str((refused.value.errors, refused.value.message))
    assert refused.value.errors[0]["message"]


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        ("Int!", SECRET, ": Expected value of type 'Int'."),
        ("[Int]", [[SECRET]], " at [0]: Expected value of type 'Int'."),
        ("Filter", SECRET, ": Expected value of type 'Filter' to be an object."),
        ("Int!", None, ": Expected value of non-null type 'Int!' not to be None."),
    ],
)
async def test_variable_itself_is_not_quoted(declared: str, value: Any, message: str) -> None:
    """The same holds for a variable that is no object."""
    with pytest.raises(BadVariables) as refused:
        await run(f"query ($v: {declared}) {{ add(a: 1) }}", {"v": value})
    told = [error["message"] for error in refused.value.errors]
    assert told == [f"Variable '$v' has invalid value{message}"]


async def test_each_variable_is_told_once() -> None:
    """Several wrong variables are told in their order, each problem once."""
    with pytest.raises(BadVariables) as refused:
        await run(
            "query ($a: Int!, $f: Filter!, $b: Int!) { add(a: $a, b: $b) search(filter: $f) }",
            {"a": SECRET, "f": {"limit": SECRET, "more": SECRET}},
        )
    told = [error["message"] for error in refused.value.errors]
    assert [message.split("'")[1] for message in told] == ["$a", "$f", "$f", "$f", "$b"]
    assert "S3cret" not in str(told)


@pytest.mark.parametrize("hidden", [True, False])
async def test_suggestions_are_for_development(hidden: bool) -> None:
    """Names of the schema are suggested to developers only."""
    with pytest.raises(BadVariables) as refused:
        await run(
            "query ($f: Filter!) { search(filter: $f) }",
            {"f": {"text": "x", "limt": 1}},
            hide_suggestions=hidden,
        )
    message = refused.value.errors[0]["message"]
    assert ("Did you mean" in message) is not hidden


async def test_many_errors_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value with thousands of faults is not looked at beyond those that are told."""
    told: list[str] = []
    expected = variables_module._expected

    def counted(*arguments: Any) -> str:
        told.append("one")
        return expected(*arguments)

    monkeypatch.setattr(variables_module, "_expected", counted)
    text = "query ($f: Filter!) { search(filter: $f) }"
    faults = {f"unknown{number}": 0 for number in range(5_000)}
    with pytest.raises(BadVariables) as caught:
        await run(text, {"f": {"text": "t", **faults}})
    assert len(told) <= MAX_VARIABLE_ERRORS
    assert len(caught.value.errors) <= MAX_VARIABLE_ERRORS + 1
