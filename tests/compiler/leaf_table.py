"""Every leaf type against every edge value, wherever a value may stand and however it may come.

One execution answers all values of one leaf type, kind of source and place: each value sits in a
nullable cell of its own, so that none hides another's fate.
"""

from __future__ import annotations

from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from typing import Any

from aiodataloader import DataLoader
from graphql import (
    DocumentNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    parse,
)
from graphql.execution import Executor
from graphql.execution.incremental import IncrementalExecutor

from tests.compiler.answers import Answer, Told, answer, typed
from tests.compiler.leaves import EDGES, Leaf

Make = Callable[[], Any]
Cells = dict[str, tuple[str, tuple[Told, ...]]]

PLACES = {
    "field": "{ cells { field } }",
    "required field": "{ cells { required } }",
    "item": "{ cells { items } }",
    "required item": "{ cells { requiredItems } }",
    "nested": "{ cells { inner { field } } }",
    "required nested": "{ cells { inner { required } } }",
    # Only nullable ones: which failures of one nulled cell are told is not this table's matter.
    "among others": "{ cells { again: field items field inner { field } } }",
}
DOCUMENTS: dict[str, DocumentNode] = {place: parse(text) for place, text in PLACES.items()}


class Source:
    """A value of the schema's object types with attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Later:
    """Awaitable as often as one likes, without a coroutine before it is awaited."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield
        return self._value


class Table:
    """The cells of one leaf type whose values come in one way."""

    def __init__(self, leaf: Leaf, kind: str) -> None:
        self.leaf = leaf
        self.kind = kind
        self.schema = GraphQLSchema(self._query())

    async def cells(self, executor: type[Executor[Any]], place: str) -> Cells:
        """What became of each edge value in a place, by the value's name."""
        load = _loader()
        root = {"cells": [self._cell(make) for make in EDGES.values()]}
        found = await answer(executor, self.schema, DOCUMENTS[place], root=root, context=load)
        return dict(_by_value(found))

    def _query(self) -> GraphQLObjectType:
        inner = GraphQLObjectType("Inner", self._fields("field", "required"))
        cell = self._fields("field", "required", "items", "requiredItems")
        cell["inner"] = GraphQLField(inner)
        cells = GraphQLList(GraphQLObjectType("Cell", cell))
        return GraphQLObjectType("Query", {"cells": GraphQLField(cells)})

    def _fields(self, *names: str) -> dict[str, GraphQLField]:
        leaf: Any = self.leaf
        types: dict[str, GraphQLOutputType] = {
            "field": leaf,
            "required": GraphQLNonNull(leaf),
            "items": GraphQLList(leaf),
            "requiredItems": GraphQLList(GraphQLNonNull(leaf)),
        }
        resolve = RESOLVERS.get(self.kind)
        return {name: GraphQLField(types[name], resolve=resolve) for name in names}

    def _cell(self, make: Make) -> Any:
        """The source of a cell; what a resolver needs to make the value itself, or the value."""
        if self.kind in RESOLVERS:
            return Source(make=make, inner=Source(make=make))
        wrap = Later if self.kind == "awaitable" else _as_it_is
        values = {name: _shaped(name, make, wrap) for name in ("field", "required")}
        lists = {name: _shaped(name, make, wrap) for name in ("items", "requiredItems")}
        built = dict if self.kind == "key" else Source
        return built(**values, **lists, inner=built(**values))


def _as_it_is(value: Any) -> Any:
    return value


def _shaped(field: str, make: Make, wrap: Callable[[Any], Any]) -> Any:
    """A field's value: the edge value, or a list of two."""
    return [wrap(make()), wrap(make())] if field.lower().endswith("items") else wrap(make())


def _resolve(source: Any, info: GraphQLResolveInfo[Any]) -> Any:
    return _shaped(info.field_name, source.make, _as_it_is)


async def _resolve_later(source: Any, info: GraphQLResolveInfo[Any]) -> Any:
    return _shaped(info.field_name, source.make, _as_it_is)


def _resolve_awaitables(source: Any, info: GraphQLResolveInfo[Any]) -> Any:
    return _shaped(info.field_name, source.make, Later)


def _load(source: Any, info: GraphQLResolveInfo[Any]) -> Any:
    def load(value: Any) -> Future[Any]:
        future: Future[Any] = info.context.load([value])
        # Of a list's failures only the first is heard; the others need not be complained of.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    return _shaped(info.field_name, source.make, load)


RESOLVERS: dict[str, Callable[..., Any]] = {
    "resolver": _resolve,
    "async resolver": _resolve_later,
    "resolver of awaitables": _resolve_awaitables,
    "loader": _load,
}
KINDS = ("attribute", "key", "awaitable", *RESOLVERS)


def _loader() -> DataLoader[Any, Any]:
    """A loader whose keys hold their values."""

    async def batch(keys: list[Any]) -> list[Any]:
        return [key[0] for key in keys]

    return DataLoader(batch, cache=False)


def _by_value(found: Answer) -> Iterator[tuple[str, tuple[str, tuple[Told, ...]]]]:
    if found.raised or not isinstance(found.data, dict) or found.data.get("cells") is None:
        raise AssertionError(f"no cells: {found}")
    errors = defaultdict(list)
    for error in found.errors:
        errors[error.path[1]].append(error)
    for number, name in enumerate(EDGES):
        told = sorted(errors[number], key=lambda error: (repr(error.path), error.words))
        yield name, (typed(found.data["cells"][number]), tuple(told))


async def differences(executor: type[Executor[Any]], leaf: Leaf, kind: str) -> list[str]:
    """Each cell in which an executor is not graphql-core, in a sentence."""
    table = Table(leaf, kind)
    found = []
    for place in PLACES:
        expected = await table.cells(IncrementalExecutor, place)
        actual = await table.cells(executor, place)
        found += [
            f"{leaf} {place} from {kind}: {name} gave {actual[name]}, not {expected[name]}"
            for name in EDGES
            if actual[name] != expected[name]
        ]
    return found
