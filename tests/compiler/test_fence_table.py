"""What a fence does at every kind of position, on both paths, at once and awaited.

Each case is executed by graphql-core and by a compiled plan: both must give what stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_schema, parse

from bff.fence import Fence, fence
from tests.compiler.answers import Answer, answer
from tests.compiler.fuzz import fences
from tests.compiler.fuzz.fenced_runs import touched_by
from tests.compiler.fuzz.scene import Later, after
from tests.compiler.leaves import declare_fallback

TYPES = """
enum E { A B NEW }
enum Soft { A B NEW }
enum Lost { A B NEW OTHER }
interface I { id: Int }
type X implements I { id: Int e: E }
type Y implements I { id: Int y: Int }
type Z implements I { id: Int }
union U = X | Y | Z
type O { e: E must: E! id: Int fails: Int }
type Deep { o: O! }
"""
FENCE = fence({"E": ["NEW"], "Soft": ["NEW"], "Lost": ["NEW", "OTHER"]}, {"U": ["Y"], "I": ["Y"]})
NONE = (0, 0, 0)
X, Y = {"__typename": "X", "id": 1}, {"__typename": "Y", "id": 2}
SHOWN = "{ __typename ... on I { id } }"
MUST = "{ must id }"
OK, NEW = {"must": "A", "id": 1}, {"must": "NEW", "id": 2}
GONE = object()


@dataclass(frozen=True)
class Case:
    """A field's type, its value, and what is sent; `GONE`: null of what holds the field."""

    type: str
    value: Any
    sent: Any
    counts: tuple[int, int, int]
    below: str = ""


ONE_NULL, ONE_DROP = (0, 1, 0), (0, 0, 1)
CASES = [
    Case("E", "A", "A", NONE),
    Case("E", "NEW", None, ONE_NULL),
    Case("E!", "A", "A", NONE),
    Case("E!", "NEW", GONE, ONE_NULL),
    Case("[E]", ["A", "NEW", "B"], ["A", None, "B"], ONE_NULL),
    Case("[E]!", ["NEW"], [None], ONE_NULL),
    Case("[E!]", ["A", "NEW", "B", "NEW"], ["A", "B"], (0, 0, 2)),
    Case("[E!]!", ["NEW"], [], ONE_DROP),
    Case("[[E!]]", [["NEW", "A"], None, ["NEW"]], [["A"], None, []], (0, 0, 2)),
    Case("[[E]!]!", [["NEW", "A"], []], [[None, "A"], []], ONE_NULL),
    Case("[[E!]!]!", [["B", "NEW", "A"], ["NEW"]], [["B", "A"], []], (0, 0, 2)),
    Case("Soft", "NEW", "B", (1, 0, 0)),
    Case("Soft!", "NEW", "B", (1, 0, 0)),
    Case("[Soft!]!", ["NEW", "A", "NEW"], ["B", "A", "B"], (2, 0, 0)),
    Case("Lost", "NEW", None, ONE_NULL),
    Case("[Lost!]", ["NEW", "A", "OTHER"], ["A"], (0, 0, 2)),
    *(
        case
        for kind in ("U", "I")
        for case in (
            Case(kind, X, X, NONE, SHOWN),
            Case(kind, Y, None, ONE_NULL, SHOWN),
            Case(f"{kind}!", Y, GONE, ONE_NULL, SHOWN),
            Case(f"[{kind}]", [Y, X], [None, X], ONE_NULL, SHOWN),
            Case(f"[{kind}!]", [Y, X, Y], [X], (0, 0, 2), SHOWN),
            Case(f"[{kind}!]!", [X, Y], [X], ONE_DROP, SHOWN),
            Case(f"[[{kind}!]!]", [[Y], [X, Y]], [[], [X]], (0, 0, 2), SHOWN),
        )
    ),
    Case("O", OK, OK, NONE, MUST),
    Case("O", NEW, None, ONE_NULL, MUST),
    Case("O!", NEW, GONE, ONE_NULL, MUST),
    Case("[O]", [OK, NEW], [OK, None], ONE_NULL, MUST),
    Case("[O!]", [NEW, OK, NEW], [OK], (0, 0, 2), MUST),
    Case("Deep", {"o": NEW}, None, ONE_NULL, f"{{ o {MUST} }}"),
    Case("[Deep!]!", [{"o": NEW}, {"o": OK}], [{"o": OK}], ONE_DROP, f"{{ o {MUST} }}"),
    # One place is counted once, and of what is below another that goes nothing is.
    Case("O", {"e": "NEW", "must": "NEW"}, None, ONE_NULL, "{ e must }"),
    Case("[O!]", [{"e": "NEW", "must": "NEW"}], [], ONE_DROP, "{ e must }"),
    Case("O", {"e": "NEW", "must": "A"}, {"e": None, "must": "A"}, ONE_NULL, "{ e must }"),
    # Null stays null, and is no fence's doing.
    Case("[E]", [None, "A"], [None, "A"], NONE),
    Case("U", None, None, NONE, SHOWN),
]


def schema_of(declared: str) -> GraphQLSchema:
    schema = build_schema(
        f"type Query {{ holder: Holder strict: Holder! }} type Holder {{ v: {declared} n: Int }}"
        + TYPES
    )
    declare_fallback(schema.type_map["Soft"], "B")
    declare_fallback(schema.type_map["Lost"], "OTHER")
    return schema


def _later(value: Any) -> Any:
    return Later(lambda: after(1, lambda: value))


def _at_once(value: Any) -> Any:
    return value


def _awaited(value: Any) -> Any:
    """The same value, with everything in it to be awaited."""
    if isinstance(value, dict):
        return _later(
            {key: one if key == "__typename" else _awaited(one) for key, one in value.items()}
        )
    return _later([_awaited(one) for one in value] if isinstance(value, list) else value)


async def both(
    schema: GraphQLSchema, text: str | DocumentNode, root: Callable[[], Any], fenced: Fence = FENCE
) -> tuple[Answer, tuple[int, int, int]]:
    """The answer and what was withheld, equal on both paths; the plan really ran."""
    document = parse(text) if isinstance(text, str) else text
    touched = touched_by(schema, document, fenced)
    assert touched is not None
    generic, compiled = fences.generic(touched), fences.compiled(touched)
    ran = compiled.plans.counters.compiled
    expected = await answer(generic, schema, document, root=root())
    found = await answer(compiled, schema, document, root=root())
    assert compiled.plans.counters.compiled == ran + 1, compiled.plans.counters.fallbacks
    assert found == expected
    assert tuple(compiled.made.withheld) == tuple(generic.made.withheld)
    return found, tuple(compiled.made.withheld)


@pytest.mark.parametrize("form", [_at_once, _awaited], ids=["at once", "awaited"])
@pytest.mark.parametrize("case", CASES, ids=[f"{one.type} {n}" for n, one in enumerate(CASES)])
async def test_every_position(case: Case, form: Callable[[Any], Any]) -> None:
    """What is withheld is replaced, null or dropped as its position has it, without an error."""
    schema = schema_of(case.type)

    def root() -> Any:
        return {"holder": form({"v": case.value, "n": 5})}

    found, counts = await both(schema, f"{{ holder {{ v {case.below} n }} }}", root)
    sent = None if case.sent is GONE else {"v": case.sent, "n": 5}
    assert found.data == {"holder": sent}
    assert not found.errors
    assert counts == case.counts


@pytest.mark.parametrize("form", [_at_once, _awaited], ids=["at once", "awaited"])
async def test_nothing_nullable_is_above(form: Callable[[Any], Any]) -> None:
    """Where the whole answer must go, `data` is null and nobody is to blame."""
    found, counts = await both(
        schema_of("E!"), "{ strict { v } }", lambda: {"strict": form({"v": "NEW"})}
    )
    assert (found.data, found.errors, counts) == (None, (), ONE_NULL)


@pytest.mark.parametrize("form", [_at_once, _awaited], ids=["at once", "awaited"])
async def test_places_of_errors_move_along(form: Callable[[Any], Any]) -> None:
    """An error of an item tells the place the item has in the list that is sent; errors of what is
    no longer there are not told."""

    def fails(_info: Any) -> None:
        raise GraphQLError("failed")

    async def fails_later(_info: Any) -> None:
        await asyncio.sleep(0)
        raise GraphQLError("failed")

    failing = fails if form is _at_once else fails_later
    items = [
        {"must": "NEW", "fails": failing},
        {"must": "A", "fails": failing},
        {"must": "NEW", "fails": 1},
        {"must": "B", "fails": failing},
    ]
    found, counts = await both(
        schema_of("[O!]"),
        "{ holder { v { must fails } } }",
        lambda: {"holder": {"v": [_later(one) if form is _awaited else one for one in items]}},
    )
    assert found.data == {
        "holder": {"v": [{"must": "A", "fails": None}, {"must": "B", "fails": None}]}
    }
    assert sorted(error.path for error in found.errors) == [
        ("holder", "v", 0, "fails"),
        ("holder", "v", 1, "fails"),
    ]
    assert counts == (0, 0, 2)


async def test_an_error_goes_before_a_fence() -> None:
    """Where an error nulls what a fence would have nulled, it is told and the fence counts none."""

    def root() -> Any:
        return {"holder": {"v": {"must": "NEW", "id": ValueError("no id")}}}

    schema = build_schema(
        "type Query { holder: Holder } type Holder { v: S } enum E { A NEW }"
        " type S { must: E! id: Int! }"
    )
    found, counts = await both(schema, "{ holder { v { must id } } }", root)
    assert found.data == {"holder": {"v": None}}
    assert [error.path for error in found.errors] == [("holder", "v", "id")]
    assert counts == NONE


async def test_held_fields_are_not_executed() -> None:
    """A field that needs a capability is null without an error, one in a brown-out with one; the
    resolver of neither is called."""
    called: list[str] = []
    schema = build_schema("type Query { a: Int b: Int c: Int own: [Int] }")

    def resolver(name: str) -> Callable[..., int]:
        def resolve(_info: Any) -> int:
            called.append(name)
            return 1

        return resolve

    def root() -> Any:
        return {name: resolver(name) for name in ("a", "b", "c")}

    fenced = fence({}, {}, ["Query.a"], ["Query.b"])
    found, counts = await both(schema, "{ a again: a b c }", root, fenced)
    assert found.data == {"a": None, "again": None, "b": None, "c": 1}
    assert [error.path for error in found.errors] == [("b",)]
    assert "Query.b will be removed" in found.errors[0].words
    assert "FieldSunset" in found.errors[0].words
    assert counts == (0, 2, 0)
    assert called == ["c", "c"]


async def test_a_missing_capability_hides_a_brown_out() -> None:
    """Who cannot use a field is not told that it ends."""
    schema = build_schema("type Query { a: Int }")
    fenced = fence({}, {}, ["Query.a"], ["Query.a"])
    found, counts = await both(schema, "{ a }", lambda: {"a": 1}, fenced)
    assert (found.data, found.errors, counts) == ({"a": None}, (), ONE_NULL)


async def test_an_interface_names_the_fields_of_its_types() -> None:
    """A field held by the name of an interface is held in every type that implements it."""
    schema = build_schema(
        "type Query { i: I o: T } interface I { n: Int } type T implements I { n: Int m: Int }"
    )
    root = {"i": {"__typename": "T", "n": 1}, "o": {"n": 2, "m": 3}}
    found, _ = await both(schema, "{ i { n } o { n m } }", lambda: root, fence({}, {}, ["I.n"], []))
    assert found.data == {"i": {"n": None}, "o": {"n": None, "m": 3}}


async def test_the_type_asked_for_decides() -> None:
    """A field that an interface declares as an interface is fenced as that, though the type that
    resolves it declares one type; asked of that type itself, it is known."""
    schema = build_schema(
        "type Query { i: I t: T } interface I { peer: I n: Int }"
        " type T implements I { peer: P n: Int } type P implements I { peer: I n: Int }"
    )
    item = {"__typename": "T", "peer": {"__typename": "P", "n": 1}}
    fenced = fence({}, {"I": ["P"]})
    text = "{ i { peer { n } } t { peer { n } } }"
    found, counts = await both(schema, text, lambda: {"i": item, "t": item}, fenced)
    assert found.data == {"i": {"peer": None}, "t": {"peer": {"n": 1}}}
    assert counts == ONE_NULL


async def test_mutations_are_fenced() -> None:
    """Root fields of a mutation run one after another, and held ones not at all."""
    called: list[str] = []
    schema = build_schema(
        "type Query { a: Int } type Mutation { a: E b: [E!] c: Int } enum E { A NEW }"
    )

    def a(_info: Any) -> str:
        called.append("a")
        return "NEW"

    async def b(_info: Any) -> Any:
        called.append("b")
        return await _later(["NEW", "A"])

    def root() -> Any:
        return {"a": a, "b": b, "c": lambda _info: 1 / 0}

    fenced = fence({"E": ["NEW"]}, {}, ["Mutation.c"])
    found, counts = await both(schema, "mutation { a b c }", root, fenced)
    assert (found.data, found.errors) == ({"a": None, "b": ["A"], "c": None}, ())
    assert called == ["a", "b"] * 2
    assert counts == (0, 2, 1)


async def test_classes_have_plans_of_their_own() -> None:
    """One document for builds that know different members: each gets what it knows."""
    schema, document = schema_of("[E!]"), parse("{ holder { v } }")
    for unknown, sent in ((["NEW"], ["A", "B"]), (["B", "NEW"], ["A"]), (["NEW"], ["A", "B"])):
        found, _ = await both(
            schema,
            document,
            lambda: {"holder": {"v": ["A", "B", "NEW"]}},
            fence({"E": unknown}, {}),
        )
        assert found.data == {"holder": {"v": sent}}


async def test_asynchronous_lists_are_fenced() -> None:
    """What graphql-core does inside a compiled plan is fenced as the rest."""

    async def items() -> Any:
        for one in ("A", "NEW", "B"):
            await asyncio.sleep(0)
            yield one

    found, counts = await both(
        schema_of("[E!]!"), "{ holder { v n } }", lambda: {"holder": {"v": items(), "n": 1}}
    )
    assert found.data == {"holder": {"v": ["A", "B"], "n": 1}}
    assert counts == ONE_DROP
