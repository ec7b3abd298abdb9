"""What goes wrong first in a compiler of operations, each shown by one small case.

Every case is answered by graphql-core too: both must agree, and with what stands here.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    build_schema,
    parse,
)
from graphql.execution.incremental import IncrementalExecutor

from tests.compiler.answers import Answer, answer
from tests.compiler.subject import Subject

CURRENT = ContextVar("CURRENT", default="nobody")


async def both(
    schema: GraphQLSchema, document: str | DocumentNode, **options: Any
) -> tuple[Any, list[str]]:
    """Data and messages, equal for graphql-core and the compiled plan, which really ran."""
    parsed = parse(document) if isinstance(document, str) else document
    subject = Subject()
    ran = subject.compiled
    core = await answer(IncrementalExecutor, schema, parsed, **_made(options))
    compiled = await answer(subject.executor, schema, parsed, **_made(options))
    assert subject.compiled == ran + 1, subject.whole
    assert compiled == core
    return compiled.data, _messages(compiled)


def _made(options: Mapping[str, Any]) -> dict[str, Any]:
    """Roots are given as functions, so that each execution has its own."""
    return {name: one() if name == "root" else one for name, one in options.items()}


def _messages(found: Answer) -> list[str]:
    return [error.words.split("' at ")[0].strip("'\"") for error in found.errors]


async def later(value: Any, turns: int = 1) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


async def test_outcome_of_skip_chooses_the_plan() -> None:
    """One document with different values for @skip and @include: each has its own fields, also
    when the first comes again."""
    schema = build_schema("type Query { a: Int b: Int c: Int }")
    document = parse("query ($s: Boolean!, $i: Boolean!) { a @skip(if: $s) b @include(if: $i) c }")
    root = {"a": 1, "b": 2, "c": 3}
    expected = {
        (True, True): {"b": 2, "c": 3},
        (False, False): {"a": 1, "c": 3},
        (True, False): {"c": 3},
        (False, True): {"a": 1, "b": 2, "c": 3},
    }
    for (skip, include), data in [*expected.items(), *expected.items()]:
        variables = {"s": skip, "i": include}
        found, _ = await both(schema, document, root=root.copy, variables=variables)
        assert found == data


async def test_null_for_skip_is_a_field_error() -> None:
    """A variable with a default may be null; the field fails that graphql-core names."""
    schema = build_schema("type Query { q: Query a: Int }")
    document = parse("query ($b: Boolean = true) { q { a @skip(if: $b) } a }")
    core, compiled = [
        await answer(one, schema, document, root={"q": {"a": 1}, "a": 2}, variables={"b": None})
        for one in (IncrementalExecutor, Subject().executor)
    ]
    assert compiled == core
    assert compiled.data == {"q": None, "a": 2}


async def test_operation_shared_by_documents() -> None:
    """Two documents may hold the same operation node with other fragments: each is its own."""
    schema = build_schema("type Query { a: Int b: Int }")
    first = parse("{ ...F } fragment F on Query { a }")
    second = parse("{ ...F } fragment F on Query { b }")
    mixed = DocumentNode(definitions=(first.definitions[0], second.definitions[1]))
    for document, data in ((first, {"a": 1}), (mixed, {"b": 2}), (first, {"a": 1})):
        found, _ = await both(schema, document, root={"a": 1, "b": 2}.copy)
        assert found == data


async def test_keys_keep_their_order() -> None:
    """What is awaited stands where it was asked for, whatever comes first."""
    schema = build_schema("type Query { a: Int b: Int c: Int d: [Int] }")

    def root() -> dict[str, Any]:
        return {"a": later(1, 3), "b": 2, "c": later(3), "d": [4, later(5, 2), 6]}

    found, _ = await both(schema, "{ c b d a again: b }", root=root)
    assert list(found) == ["c", "b", "d", "a", "again"]
    assert found["d"] == [4, 5, 6]


async def test_functions_of_sources_are_called() -> None:
    """A source's function is called with the info and the arguments; its result is the value."""
    schema = build_schema("type Query { f(x: Int = 3): [String] o: Query }")

    class Source:
        def f(self, info: GraphQLResolveInfo[Any], x: int) -> list[str]:
            return [f"{info.path.as_list()}", str(x)]

        o: Any = None

    def root() -> Source:
        source = Source()
        source.o = lambda info: Source()
        return source

    found, messages = await both(schema, "{ f o { f(x: 4) } }", root=root)
    assert (found, messages) == ({"f": ["['f']", "3"], "o": {"f": ["['o', 'f']", "4"]}}, [])


async def test_resolvers_are_told_everything() -> None:
    """The info of a merged field names all its nodes, its path with types, and the request."""
    schema = build_schema("type Query { o(n: Int): Query told: String }")
    told: list[tuple[Any, ...]] = []

    def tell(info: GraphQLResolveInfo[Any]) -> str:
        nodes = [node.loc.start if node.loc else None for node in info.field_nodes]
        types = (info.parent_type.name, str(info.return_type), info.path.typename)
        values = (info.variable_values.coerced, info.root_value["name"], info.context)
        told.append((info.field_name, info.path.as_list(), nodes, *types, *values))
        return "told"

    def root() -> dict[str, Any]:
        return {"name": "root", "o": lambda info, n: {"told": tell}, "told": tell}

    document = """query ($n: Int) { o(n: $n) { a: told } ...F }
        fragment F on Query { o(n: $n) { a: told } }"""
    await both(schema, document, root=root, context="asked", variables={"n": 5})
    core, compiled = told
    assert core == compiled
    assert compiled[1:3] == (["o", "a"], [29, 87])


async def test_arguments_are_each_resolvers_own() -> None:
    """A resolver that changes a list it was given changes nobody else's."""
    schema = build_schema("type Query { many: [Query] f(x: [Int]): [Int] }")

    def grow(_info: GraphQLResolveInfo[Any], x: list[int]) -> list[int]:
        x.append(len(x) + 1)
        return x

    def root() -> dict[str, Any]:
        return {"many": [{"f": grow}, {"f": grow}], "f": grow}

    found, _ = await both(schema, "{ f(x: [1]) many { f(x: [1]) also: f(x: [5]) } }", root=root)
    one = {"f": [1, 2], "also": [5, 2]}
    assert found == {"f": [1, 2], "many": [one, one]}


async def test_arguments_nobody_takes() -> None:
    """Arguments that do not fit fail a field also where its source holds a plain value."""
    schema = build_schema("type Query { f(x: Boolean! = true): String }")
    document = parse("query ($v: Boolean) { f(x: $v) }")
    for variables, data in (({}, {"f": "plain"}), ({"v": None}, {"f": None})):
        found, messages = await both(
            schema, document, root={"f": "plain"}.copy, variables=variables
        )
        assert found == data
        assert bool(messages) == (data["f"] is None)


async def test_null_in_a_strict_list() -> None:
    """A null item of a list that allows none takes the list, or whatever above may be null."""
    schema = build_schema("type Query { loose: [Int] strict: [Int!] all: [[Int!]!] }")

    def root() -> dict[str, Any]:
        return {"loose": [1, None], "strict": [1, None, 2], "all": [[1], [later(None)]]}

    found, messages = await both(schema, "{ loose strict all }", root=root)
    assert found == {"loose": [1, None], "strict": None, "all": None}
    assert messages == [
        "Cannot return null for non-nullable field Query.strict.",
        "Cannot return null for non-nullable field Query.all.",
    ]


async def test_errors_say_where() -> None:
    """An error's path has response keys and indexes; errors come in the order of fields."""
    schema = build_schema("type Query { many: [Query] x: Int y: Int! }")

    def root() -> dict[str, Any]:
        bad = {"x": "no number", "y": 1}
        return {"many": [{"x": 1, "y": 1}, {"many": [bad, bad], "x": 5, "y": None}], "y": 0}

    document = parse("{ first: many { number: x many { also: x y } } y many { y } }")
    core, compiled = [
        await answer(one, schema, document, root=root())
        for one in (IncrementalExecutor, Subject().executor)
    ]
    assert compiled == core
    assert [error.path for error in compiled.errors] == [
        ("first", 1, "many", 0, "also"),
        ("first", 1, "many", 1, "also"),
        ("many", 1, "y"),
    ]


class Shape:
    """One class for values of several types, told apart by what they hold."""

    def __init__(self, kind: Any, name: str = "n") -> None:
        self.kind = kind
        self.name = name

    def __repr__(self) -> str:
        return f"Shape({self.kind})"


class TypeName(StrEnum):
    ROUND = "Round"
    FLAT = "Flat"


def _shapes(resolves: bool, tests: bool) -> GraphQLSchema:
    """An interface of two types, known by `resolve_type`, by `is_type_of`, or by both."""

    def is_type_of(kind: str) -> Any:
        return (lambda value, info: value.kind == kind) if tests else None

    figure = GraphQLInterfaceType(
        "Figure",
        {"name": GraphQLField(GraphQLString)},
        resolve_type=(lambda value, info, abstract: value.kind) if resolves else None,
    )
    fields = {"name": GraphQLField(GraphQLString), "peer": GraphQLField(figure)}
    types = [
        GraphQLObjectType(kind, fields, [figure], is_type_of(kind)) for kind in ("Round", "Flat")
    ]
    query = GraphQLObjectType(
        "Query",
        {
            "one": GraphQLField(figure),
            "two": GraphQLField(figure),
            "exact": GraphQLField(types[0]),
        },
    )
    return GraphQLSchema(query, types=types)


FIGURES = """{ one { __typename name ... on Round { peer { __typename } } }
    two { __typename name ... on Flat { flat: name } } }"""


@pytest.mark.parametrize(("resolves", "tests"), [(True, False), (False, True), (True, True)])
async def test_equal_classes_of_different_types(resolves: bool, tests: bool) -> None:
    """The type of an abstract value is asked anew for each value where the class does not tell."""
    schema = _shapes(resolves, tests)
    document = parse(FIGURES)
    for one, two in (("Round", "Flat"), ("Flat", "Round"), ("Round", "Flat")):
        root = {"one": Shape(one), "two": Shape(two)}
        found, messages = await both(schema, document, root=root.copy)
        assert not messages
        assert [found["one"]["__typename"], found["two"]["__typename"]] == [one, two]
        assert ("peer" in found["one"], "flat" in found["two"]) == (one == "Round", two == "Flat")


@pytest.mark.parametrize("kind", ["Round", "Flat", "Nothing"])
async def test_types_that_take_time(kind: str) -> None:
    """What a type test or a type's name take time for is waited for, and then believed."""
    schema = _shapes(True, True)
    figure: Any = schema.get_type("Figure")
    figure.resolve_type = lambda value, info, abstract: later("Round", 2)
    for name in ("Round", "Flat"):
        named: Any = schema.get_type(name)
        named.is_type_of = lambda value, info, name=name: later(value.kind == name)
    root = {"one": Shape(kind), "exact": Shape(kind)}
    found, messages = await both(schema, "{ one { name } exact { name } }", root=root.copy)
    expected = {"name": "n"} if kind == "Round" else None
    assert found == {"one": expected, "exact": expected}
    assert len(messages) == (0 if expected else 2)


async def test_type_names_of_other_classes() -> None:
    """A type may be named by any str, an enum's member too."""
    found, messages = await both(
        _shapes(True, False),
        parse(FIGURES),
        root=lambda: {"one": Shape(TypeName.ROUND), "two": Shape(TypeName.FLAT)},
    )
    assert not messages
    assert (found["one"]["__typename"], found["two"]["__typename"]) == ("Round", "Flat")


async def test_every_value_is_tested() -> None:
    """`is_type_of` is asked for each value, not once for its class."""
    schema = _shapes(True, True)
    document = parse("{ exact { name } }")
    for kind, expected in (("Round", {"name": "n"}), ("Flat", None), ("Round", {"name": "n"})):
        found, messages = await both(schema, document, root={"exact": Shape(kind)}.copy)
        assert found == {"exact": expected}
        assert bool(messages) == (kind == "Flat")


async def test_mutations_run_one_after_another() -> None:
    """The fields of a mutation take effect in order, each after the one before is through; one
    that must not be null ends it."""
    schema = build_schema("type Query { q: Int } type Mutation { add(n: Int!): [Int] must: Int! }")
    document = parse("mutation { a: add(n: 1) b: add(n: 2) c: must d: add(n: 3) }")

    def root() -> dict[str, Any]:
        done: list[int] = []

        async def add(info: GraphQLResolveInfo[Any], n: int) -> list[Any]:
            await asyncio.sleep(0)
            done.append(n)
            return [later(one, 3 - n) for one in done]

        return {"add": add, "must": lambda info: later(len(done) or None)}

    found, messages = await both(schema, document, root=root)
    assert not messages
    assert found == {"a": [1], "b": [1, 2], "c": 2, "d": [1, 2, 3]}
    found, messages = await both(schema, "mutation { c: must d: add(n: 3) }", root=root)
    assert (found, len(messages)) == (None, 1)


async def test_synchronous_execution_stays_so() -> None:
    """With `execute_sync` nothing is taken for awaitable, the answer of a type test included."""

    class Odd:
        """Awaitable, but nobody may ask."""

        def __await__(self) -> Any:
            raise AssertionError("awaited")

    schema = _shapes(True, True)
    schema.get_type("Round").is_type_of = lambda value, info: Odd()  # type: ignore[union-attr]
    root = {"exact": Shape("Round"), "one": Shape("Round"), "two": Shape("Flat")}
    document = parse("{ exact { name } one { name } two { name } }")
    core, compiled = [
        await answer(one, schema, document, root=root, at_once=True)
        for one in (IncrementalExecutor, Subject().executor)
    ]
    assert compiled == core
    assert not compiled.raised
    assert compiled.data == {"exact": {"name": "n"}, "one": {"name": "n"}, "two": {"name": "n"}}


@pytest.mark.parametrize("alone", [True, False])
async def test_a_cancelled_load_is_an_error(alone: bool) -> None:
    """A future that others cancelled fails its field, not the request (graphql-core differs)."""
    schema = build_schema("type Query { a: Int b: Int }")
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.cancel()
    document = parse("{ a }" if alone else "{ a b }")
    root = {"a": future, "b": later(2)} if not alone else {"a": future}
    found = await answer(Subject().executor, schema, document, root=root)
    assert not found.raised
    assert found.data["a"] is None
    assert [error.path for error in found.errors] == [("a",)]


async def test_shared_futures_are_left_alone() -> None:
    """A future that failed siblings no longer need is not cancelled: others may wait for it."""
    schema = build_schema("type Query { o: O } type O { bad: Int! slow: Int }")
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    root = {"o": {"bad": later(ValueError("bad"), 2), "slow": future}}
    found = await answer(Subject().executor, schema, parse("{ o { slow bad } }"), root=root)
    assert found.data == {"o": None}
    assert not future.cancelled()
    future.set_result(1)


async def test_what_failed_beside_is_not_complained_of() -> None:
    """Of failures that come together the first may end the request; asyncio hears of none."""
    schema = build_schema("type Query { a: [Int] must: Int! }")
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, what: heard.append(what))
    try:
        for turns in range(4):
            root = {"a": [later(ValueError("a"), turns), 1], "must": later(ValueError("must"))}
            subject = Subject()
            found = await answer(subject.executor, schema, parse("{ a must }"), root=root)
            assert found.data is None
            await asyncio.sleep(0)
            gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert not heard


async def test_own_tasks_end_with_the_request() -> None:
    """A request that is cancelled takes along what it started, and nothing goes on alone."""
    schema = build_schema("type Query { a: Int b: Int }")
    ended: list[str] = []
    begun = asyncio.Event()

    async def endless(name: str) -> int:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append(name)
        return 1

    root = {"a": endless("a"), "b": endless("b")}
    request = asyncio.create_task(answer(Subject().executor, schema, parse("{ a b }"), root=root))
    await begun.wait()
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert sorted(ended) == ["a", "b"]


async def test_resolvers_see_the_request() -> None:
    """Context variables of the request are there for every resolver, also after waiting."""
    schema = build_schema("type Query { o: O } type O { who: String later: String }")

    async def who(_info: GraphQLResolveInfo[Any]) -> str:
        await asyncio.sleep(0)
        return CURRENT.get()

    def root() -> dict[str, Any]:
        return {"o": later({"who": lambda _info: CURRENT.get(), "later": who})}

    CURRENT.set("somebody")
    found, _ = await both(schema, "{ o { who later } }", root=root)
    assert found == {"o": {"who": "somebody", "later": "somebody"}}
