"""Building blocks are leaves: none points to an entity, so no platform's graph grows from one."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator

import pytest
import strawberry
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryContainer
from strawberry.types.union import StrawberryUnion

import schema.blocks
from schema.blocks.revision import Written


def block_types() -> Iterator[type]:
    """Every GraphQL type declared in schema/blocks."""
    for found in pkgutil.iter_modules(schema.blocks.__path__, "schema.blocks."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            declared = isinstance(value, type) and value.__module__ == found.name
            if declared and get_object_definition(value):
                yield value


def violations(types: Iterable[type], blocks: str = "schema.blocks.") -> list[str]:
    """`Block.field -> Type` for each field of a block that is no scalar, enum or leaf block."""
    return [
        f"{one.__name__}.{name} -> {getattr(target, '__name__', target)}"
        for one in types
        for name, target in _links(one)
        if not _is_leaf_block(target, blocks)
    ]


def _links(one: object) -> Iterator[tuple[str, object]]:
    """Fields of a type that lead to another object type or to a union."""
    definition = get_object_definition(one)
    for field in definition.fields if definition else ():
        target: object = field.type
        while isinstance(target, StrawberryContainer):
            target = target.of_type
        if isinstance(target, StrawberryUnion) or get_object_definition(target):
            yield field.python_name, target


def _is_leaf_block(target: object, blocks: str) -> bool:
    inside = isinstance(target, type) and target.__module__.startswith(blocks)
    return inside and not any(_links(target))


@strawberry.type
class Leaf:
    name: str


@strawberry.type
class Entity:
    leaf: Leaf


@strawberry.type
class SeededBlock:
    fine: Leaf
    wrong: list[Entity | None]


def test_blocks_point_to_no_entity() -> None:
    """A block's fields are scalars, enums and leaf blocks only."""
    found = list(block_types())
    assert Written in found, "the search for blocks finds nothing"
    assert violations(found) == []


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (f"{__name__}", ["SeededBlock.wrong -> Entity"]),
        ("elsewhere.", ["SeededBlock.fine -> Leaf", "SeededBlock.wrong -> Entity"]),
    ],
)
def test_seeded_violations_are_found(blocks: str, expected: list[str]) -> None:
    """The check above can fail: it finds a block with an entity in a list, and one outside."""
    assert violations([SeededBlock], blocks) == expected
