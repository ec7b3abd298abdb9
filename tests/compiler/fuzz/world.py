"""One random schema with everything behind it: resolvers, type tests, sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLString,
    default_field_resolver,
    default_type_resolver,
)

from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.scene import Later, Scene, after, future_of
from tests.compiler.fuzz.sources import Place, Temper, Values, kind_of
from tests.compiler.fuzz.types import Shape

TEMPERS = (
    Temper(failures=0, edges=0, awaits=0),
    Temper(failures=0.03, edges=0.1, awaits=0),
    Temper(failures=0.15, edges=0.2, awaits=0),
    Temper(failures=0, edges=0, awaits=0.4),
    Temper(failures=0.03, edges=0.1, awaits=0.2),
    Temper(failures=0.12, edges=0.15, awaits=0.5),
)
ASYNC_TESTS = ("later is_type_of", "later resolve_type")


class World:
    """Made from a seed alone."""

    def __init__(self, seed: int) -> None:
        dice = Dice(seed, "world")
        self.seed = seed
        self.temper = TEMPERS[seed % len(TEMPERS)]
        ways = ["resolve_type", "typename", "is_type_of"]
        self._tells = dice.pick([*ways, *ASYNC_TESTS] if self.temper.awaits else ways)
        self._tests_objects = dice.chance(0.4)
        # Of `execute`: resolvers for whatever has none of its own.
        self.options: dict[str, Any] = {}
        if dice.chance(0.15):
            self.options["field_resolver"] = _own_default
        if dice.chance(0.15):
            self.options["type_resolver"] = _own_type
        self._plain: set[tuple[str, str]] = set()
        self.values = Values(seed, self.temper, self._plain)
        shape = Shape(seed, self._resolver, self._is_type_of, self._resolve_type)
        self.schema = self.values.schema = shape.schema

    def scene(self) -> Scene:
        """The surroundings of one execution."""
        quiet = not self.temper.failures and not self.temper.edges
        return Scene(self._loaded, shares=quiet)

    def root(self, mutation: bool) -> Any:
        output = self.schema.mutation_type if mutation else self.schema.query_type
        assert output is not None
        return self.values.source(output, ("root",))

    def _loaded(self, key: tuple[object, ...]) -> Any:
        parent, field, _ = key
        output = self.schema.get_type(str(parent))
        assert isinstance(output, GraphQLObjectType)
        return self.values.of(output.fields[str(field)].type, ("loaded", *key), 2)

    def _is_type_of(self, name: str) -> Callable[..., Any] | None:
        wanted = self._tells.endswith("is_type_of") or self._tests_objects
        if not wanted:
            return None
        later = self._tells == "later is_type_of"

        def is_type_of(value: Any, info: GraphQLResolveInfo[Any]) -> Any:
            assert info.context is not None
            found = kind_of(value)
            if found == "":
                raise TypeError(f"nothing said of its type, {name} or not")
            return after(1, lambda: found == name) if later else found == name

        return is_type_of

    def _resolve_type(self, name: str) -> Callable[..., Any] | None:
        if not self._tells.endswith("resolve_type"):
            return None
        later = self._tells == "later resolve_type" and Dice(self.seed, name).chance(0.5)

        def resolve_type(value: Any, info: GraphQLResolveInfo[Any], abstract: Any) -> Any:
            assert abstract.name == name
            found = kind_of(value)
            if found == "":
                raise TypeError(f"nothing said of its type, as {name}")
            return after(1, lambda: found) if later else found

        return resolve_type

    def _resolver(
        self, parent: str, field: str, output: GraphQLOutputType
    ) -> Callable[..., Any] | None:
        dice = Dice(self.seed, parent, field, "resolver")
        if dice.chance(0.45) and parent != "Mutation":
            self._plain.add((parent, field))
            return None
        if self.temper.awaits and dice.chance(0.35):
            return self._loading(parent, field, output)
        if self.temper.awaits and dice.chance(0.5):
            return self._asynchronous(output)
        return self._immediate(output)

    def _immediate(self, output: GraphQLOutputType) -> Callable[..., Any]:
        def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            place = _asked(info, arguments)
            return self._given(output, place, info)

        return resolve

    def _asynchronous(self, output: GraphQLOutputType) -> Callable[..., Any]:
        async def resolve_later(
            source: Any, info: GraphQLResolveInfo[Any], **arguments: Any
        ) -> Any:
            place = _asked(info, arguments)
            dice = Dice(self.seed, place, "async")
            found = await after(dice.below(4), lambda: self._given(output, place, info))
            if info.path.prev is None:
                info.context.events.append(f"end {info.path.key}")
            return found

        def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            place = _asked(info, arguments)
            dice = Dice(self.seed, place, "awaitable")
            if dice.chance(0.4):
                return self._given(output, place, info)
            value = self.values.of(output, place, 1)
            form = dice.below(3)
            if form == 0 and not isinstance(value, Exception):
                return future_of(value)
            return (Later if form == 1 else _begun)(lambda: after(dice.below(3), lambda: value))

        return resolve_later if Dice(self.seed, str(output)).chance(0.5) else resolve

    def _loading(self, parent: str, field: str, output: GraphQLOutputType) -> Callable[..., Any]:
        inner = output.of_type if isinstance(output, GraphQLNonNull) else output
        several = isinstance(inner, GraphQLList)

        def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            place = _asked(info, arguments)
            dice = Dice(self.seed, place, "load")
            key = (parent, field, dice.below(4))
            return info.context.load(key)

        async def resolve_later(
            source: Any, info: GraphQLResolveInfo[Any], **arguments: Any
        ) -> Any:
            return await resolve(source, info, **arguments)

        return resolve_later if several or Dice(self.seed, field).chance(0.4) else resolve

    def _given(self, output: GraphQLOutputType, place: Place, info: GraphQLResolveInfo[Any]) -> Any:
        dice = Dice(self.seed, place, "given")
        if dice.chance(self.temper.failures / 2):
            code = {"code": "REFUSED"}
            words = f"refused at {place}"
            raise dice.pick((KeyError(words), GraphQLError(words, extensions=code)))
        if output is GraphQLString and dice.chance(0.3):
            return _witness(info)
        return self.values.of(output, place, 1)


def _own_default(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    info.context.calls[f"own default at {info.path.as_list()}"] += 1
    return default_field_resolver(source, info, **arguments)


def _own_type(value: Any, info: GraphQLResolveInfo[Any], abstract: Any) -> Any:
    info.context.calls[f"own type at {info.path.as_list()}"] += 1
    return kind_of(value) or default_type_resolver(value, info, abstract)


def _begun(begin: Callable[[], Any]) -> Any:
    return begin()


def _asked(info: GraphQLResolveInfo[Any], arguments: dict[str, Any]) -> Place:
    """Where a field is asked for and with what; noted in the scene."""
    place = (*info.path.as_list(), repr(sorted(arguments.items())))
    scene: Scene = info.context
    scene.calls[repr(place)] += 1
    if info.path.prev is None:
        scene.events.append(f"begin {info.path.key}")
    return place


def _witness(info: GraphQLResolveInfo[Any]) -> str:
    """Everything a resolver is told, as text."""
    nodes = [node.loc.start if node.loc else None for node in info.field_nodes]
    told = (
        *(info.field_name, str(info.parent_type), str(info.return_type), nodes),
        *(sorted(info.variable_values.coerced.items()), sorted(info.fragments)),
        *(info.path.typename, info.root_value is not None, info.operation.operation.value),
    )
    return repr(told)
