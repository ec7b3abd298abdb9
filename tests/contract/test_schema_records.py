"""Records are the GraphQL values: what a type says, its record has."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import NoneType
from typing import get_args, get_type_hints

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
)

import bff.loaders
from bff.loaders.base import Loader
from tests.contract.schemas import (
    PLATFORMS,
    made_by_us,
    object_types,
    plain_attribute,
    records,
    schema_of,
)

LOADER_NAME = re.compile(r"^[A-Z]\w+By[A-Z]\w+Loader$")


def plain_fields(platform: str) -> Iterator[tuple[str, bool, str, type]]:
    """Of each field without resolver and each record: coordinate, non-null, attribute, record."""
    for found in object_types(schema_of(platform)):
        for name, field in found.fields.items():
            attribute = plain_attribute(field)
            if attribute is not None:
                non_null = isinstance(field.type, GraphQLNonNull)
                for record in records(found):
                    yield f"{found.name}.{name}", non_null, attribute, record


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_value_type_names_records(platform: str) -> None:
    """Every object type but roots and screens is declared with the records that are its values."""
    schema = schema_of(platform)
    without = {found.name for found in object_types(schema) if not records(found)}
    assert without == made_by_us(schema)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_plain_fields_exist_on_records(platform: str) -> None:
    """A field without resolver is an attribute of every record of its type."""
    checked = list(plain_fields(platform))
    assert len(checked) > 100
    missing = [
        f"{coordinate}: {record.__name__} has no {attribute}"
        for coordinate, _, attribute, record in checked
        if attribute not in get_type_hints(record)
    ]
    assert missing == []  # the field needs the attribute, or a resolver


@pytest.mark.parametrize("platform", PLATFORMS)
def test_required_fields_are_never_none(platform: str) -> None:
    """A field that must not be null reads an attribute that is never None: a service's honest
    null cannot take its parent away."""
    wrong = [
        f"{coordinate}: {record.__name__}.{attribute} may be None"
        for coordinate, non_null, attribute, record in plain_fields(platform)
        # One that is not there at all is told by the test above.
        if non_null and NoneType in get_args(get_type_hints(record).get(attribute))
    ]
    assert wrong == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_union_members_share_no_record(platform: str) -> None:
    """Wherever a field's type is abstract, a record is a value of one possible type only."""
    schema = schema_of(platform)
    selected = {
        get_named_type(field.type)
        for found in object_types(schema)
        for field in found.fields.values()
    }
    abstract = [t for t in selected if isinstance(t, GraphQLUnionType | GraphQLInterfaceType)]
    assert abstract
    for one in abstract:
        possible: list[GraphQLObjectType] = list(schema.get_possible_types(one))
        for member in possible:
            for record in records(member):
                takers = [t.name for t in possible if issubclass(record, records(t))]
                assert takers == [member.name], f"{one.name}: {record.__name__} is {takers}"


def test_loaders_are_named_by_key() -> None:
    """Every loader is called after what it loads and by what: XByYLoader."""
    classes = {
        value
        for found in pkgutil.iter_modules(bff.loaders.__path__, "bff.loaders.")
        for value in vars(importlib.import_module(found.name)).values()
        if inspect.isclass(value) and issubclass(value, Loader) and value is not Loader
    }
    assert len(classes) >= 10
    assert [c.__name__ for c in classes if not LOADER_NAME.match(c.__name__)] == []
