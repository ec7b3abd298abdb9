"""What schemas declare for builds that know less of them can be kept for every build."""

from __future__ import annotations

from enum import Enum

import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLSchema

from bff.contract import Fallback, Requires, fallback_of, fields_requiring
from bff.fence import never_null
from bff.plans.execute import graphql_schema
from tests.contract.schemas import PLATFORMS, schema_of


@strawberry.enum(directives=[Fallback(member="pale")])
class Shade(Enum):
    PALE = "pale"


@strawberry.type
class WrongQuery:
    shade: Shade = strawberry.field(directives=[Requires(capability="shades")])
    hue: str | None = strawberry.field(directives=[Requires(capability="shades")])


def wrong_requirements(schema: GraphQLSchema) -> list[str]:
    """Fields that need a capability though they must not be null."""
    required = fields_requiring(schema)
    return never_null(schema, sorted(field for fields in required.values() for field in fields))


def wrong_fallbacks(schema: GraphQLSchema) -> list[str]:
    """Enums whose fallback is none of their members."""
    enums = [one for one in schema.type_map.values() if isinstance(one, GraphQLEnumType)]
    return [one.name for one in enums if fallback_of(one) not in (None, *one.values)]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_needs_a_capability_may_be_null(platform: str) -> None:
    """An app without the capability is answered null for the field."""
    assert not wrong_requirements(schema_of(platform))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_fallbacks_are_members(platform: str) -> None:
    """Every `@fallback` names a member of its enum; each platform has at least one."""
    schema = schema_of(platform)
    assert not wrong_fallbacks(schema)
    feed = schema.type_map["FeedReason"]
    assert isinstance(feed, GraphQLEnumType)
    assert fallback_of(feed) == "NEW"


def test_wrong_declarations_are_found() -> None:
    """Both checks tell a field that must not be null, and a fallback that does not exist."""
    declared = strawberry.Schema(WrongQuery)
    schema = graphql_schema(declared)
    assert wrong_fallbacks(schema) == ["Shade"]
    assert wrong_requirements(schema) == ["WrongQuery.shade"]
    assert fields_requiring(schema) == {"shades": {"WrongQuery.shade", "WrongQuery.hue"}}
    text = declared.as_str()
    assert 'enum Shade @fallback(member: "pale")' in text
    assert 'hue: String @requires(capability: "shades")' in text
    assert "directive @requires(capability: String!) on FIELD_DEFINITION" in text
