"""Arguments reach resolvers and keys as Strawberry would pass them, known beforehand or not."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

import pytest
import strawberry
from graphql import execute

from bff.contract import Scope, batch_field
from bff.plans.execute import Executor, graphql_schema
from tests.unit.bff.plans.wave_world import prepared


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


Sized = strawberry.enum(Size, name="Size")


@strawberry.input
class Filter:
    text: str
    limit: int = 10
    tags: list[str] | None = None


class EchoLoader:
    scope = Scope.SHARED


def _echo_key(root: object, word: str = "none", times: int | None = None) -> str:
    return f"{word}*{times}"


@strawberry.type
class Query:
    @strawberry.field
    def show(
        self,
        a: int = 7,
        b: str | None = strawberry.UNSET,
        size: Sized = Size.SMALL,  # type: ignore[valid-type]
        ids: list[int] | None = None,
        given: Filter | None = None,
        m: strawberry.Maybe[int | None] = None,
    ) -> str:
        return repr((a, b, size, ids, given, m))

    @strawberry.field
    def wanted(self, must: int, word: str = "w") -> str:
        return repr((must, word))

    @strawberry.field
    def mutated(self, ids: list[int]) -> list[int]:
        ids.append(0)
        return ids

    echo: str | None = batch_field(cast("Any", EchoLoader), _echo_key)


SCHEMA = graphql_schema(strawberry.Schema(Query))


class _Context:
    """Loads by repeating the key, whichever way it is asked."""

    async def load(self, _kind: object, key: str) -> str:
        return key

    def loader(self, _kind: object) -> _Context:
        return self

    async def load_all(self, keys: list[str]) -> list[str]:
        return keys

    def remaining(self) -> float:
        return 10.0

    def call_was_late(self) -> None: ...


CASES: list[tuple[str, dict[str, Any]]] = [
    ("{ show }", {}),
    ("{ show(a: 1, b: null, size: LARGE) }", {}),
    ('{ show(ids: [1, 2], given: {text: "t", tags: ["x"]}, m: 3) }', {}),
    ("{ show(m: null) }", {}),
    ("query($a: Int = 5, $b: String) { show(a: $a, b: $b) }", {}),
    ("query($a: Int = 5, $b: String) { show(a: $a, b: $b) }", {"a": 2, "b": "z"}),
    ("query($a: Int, $b: String) { show(a: $a, b: $b) }", {"b": None}),
    ("query($a: Int) { show(a: $a) }", {"a": None}),
    ("query($s: Size!, $m: Int) { show(size: $s, m: $m) }", {"s": "LARGE", "m": None}),
    ("query($s: Size, $m: Int) { show(size: $s, m: $m) }", {}),
    ("query($n: Int!) { show(ids: [1, $n]) }", {"n": 4}),
    ("query($f: Filter) { show(given: $f) }", {"f": {"text": "q", "limit": 2}}),
    ("query($t: String!) { show(given: {text: $t}) }", {"t": "inner"}),
    ("query($n: Int!) { wanted(must: $n) }", {"n": 1}),
    ("query($n: Int = 3) { wanted(must: $n) }", {}),
    ("query($n: Int = 3) { wanted(must: $n) }", {"n": None}),
    ("query($w: String = null) { wanted(must: 1, word: $w) }", {}),
    ("{ x: mutated(ids: [1]) y: mutated(ids: [1]) }", {}),
    ("query($i: [Int!]!) { x: mutated(ids: $i) y: mutated(ids: $i) }", {"i": [1]}),
    ("{ echo }", {}),
    ('{ echo(word: "hi") }', {}),
    ('query($w: String! = "d", $t: Int) { echo(word: $w, times: $t) }', {"t": 3}),
    ('query($w: String! = "d", $t: Int) { echo(word: $w, times: $t) }', {"w": "v", "t": None}),
]


@pytest.mark.parametrize(("text", "variables"), CASES)
async def test_arguments_are_those_of_core(text: str, variables: dict[str, Any]) -> None:
    """Literals, defaults, variables given, missing and null: the same values and errors, twice."""
    operation = prepared(text, SCHEMA)
    context: Any = _Context()
    result: Any = execute(
        SCHEMA, operation.document, context_value=context, variable_values=variables
    )
    expected = result if not hasattr(result, "__await__") else await result
    executor = Executor(SCHEMA, hide_suggestions=False)
    executor.compile(operation, variables)
    for _ in range(2):
        found = await executor.execute(operation, variables, context)
        assert found.plan == "compiled"
        assert found.data == expected.data
        assert [error.message for error in found.errors] == [
            error.message for error in expected.errors or []
        ]
