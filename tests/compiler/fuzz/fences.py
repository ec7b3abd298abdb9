"""Random fences for a random schema, and executors that keep what they were before settling."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
)
from graphql.pyutils import Path

from bff.fence import Fence, fence
from tests.compiler.fuzz.dice import Dice

Where = tuple[str | int, ...]


def draw(schema: GraphQLSchema, dice: Dice) -> Fence:
    """Some members, some possible types, some fields; seldom all, seldom none."""
    enums: dict[str, list[str]] = {}
    types: dict[str, list[str]] = {}
    absent: list[str] = []
    brownouts: list[str] = []
    for name, one in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(one, GraphQLEnumType) and dice.chance(0.7):
            enums[name] = dice.some(list(one.values), 1, len(one.values))
        elif is_abstract_type(one) and dice.chance(0.7):
            possible = [kind.name for kind in schema.get_possible_types(one)]
            types[name] = dice.some(possible, 0, max(1, len(possible) - 1))
        fields = getattr(one, "fields", {}) if isinstance(one, GraphQLObjectType) else {}
        if dice.chance(0.5):
            absent += [f"{name}.{field}" for field in fields if dice.chance(0.12)]
            brownouts += [f"{name}.{field}" for field in fields if dice.chance(0.12)]
    return fence(enums, {name: kinds for name, kinds in types.items() if kinds}, absent, brownouts)


def generic(touched: Any) -> Any:
    """graphql-core's executor within a fence, as it is now (a planted bug is seen). It notes the
    type of every object, and its answer with the marks still in it."""
    base: Any = import_module("bff.plans.fenced").FencedExecutor

    class Generic(base):  # type: ignore[misc]
        made: Any = None

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, touched=touched, **options)
            self.objects: dict[Where, tuple[GraphQLObjectType, Any]] = {}
            self.marked: Any = None
            self.raw_errors: list[Any] = []
            type(self).made = self

        def collect_and_execute_subfields(
            self, return_type: Any, details: Any, path: Path, *others: Any
        ) -> Any:
            self.objects[tuple(path.as_list())] = (return_type, details)
            return super().collect_and_execute_subfields(return_type, details, path, *others)

        def build_response(self, data: Any) -> Any:
            self.marked = _copied(data)
            self.raw_errors = list(self.collected_errors.errors)
            return super().build_response(data)

    return Generic


def compiled(touched: Any) -> Any:
    """The compiled executor within a fence, as it is now."""
    base: Any = import_module("bff.plans.hook").CompiledFencedExecutor

    class Compiled(base):  # type: ignore[misc]
        made: Any = None

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, touched=touched, **options)
            type(self).made = self

    return Compiled


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copied(one) for key, one in data.items()}
    return [_copied(one) for one in data] if isinstance(data, list) else data
