"""Platforms differ for reasons, and agree on what a screen is."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type

from bff.contract import Screen, Sunset, batch_of, strawberry_field
from tests.contract.schemas import PLATFORMS, object_types, schema_of

SCREENS = {"home", "profile", "content", "inbox"}
HOME_LOADERS = {
    "AccountCardByIdLoader",
    "FeedPageByPageLoader",
    "InboxHeadByFirstLoader",
    "StatsByItemIdLoader",
    "ItemByIdLoader",  # only below a notification, which no home document selects
}


def fields(platform: str) -> Iterator[tuple[str, GraphQLField]]:
    for found in object_types(schema_of(platform)):
        for name, field in found.fields.items():
            yield f"{found.name}.{name}", field


def deprecated(platform: str) -> set[str]:
    return {coordinate for coordinate, field in fields(platform) if field.deprecation_reason}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platform_deprecates_for_itself(platform: str) -> None:
    """Each platform is free to deprecate: it has a deprecated field that no other has at all."""
    elsewhere = {
        coordinate for other in PLATFORMS if other != platform for coordinate, _ in fields(other)
    }
    assert deprecated(platform) - elsewhere


@pytest.mark.parametrize("platform", PLATFORMS)
def test_deprecated_fields_have_a_sunset(platform: str) -> None:
    """A deprecated field says from when on, and below which release, it may go."""
    for coordinate, field in fields(platform):
        definition = strawberry_field(field)
        assert definition is not None
        sunset = any(isinstance(one, Sunset) for one in definition.directives)
        assert sunset is bool(field.deprecation_reason), coordinate


@pytest.mark.parametrize("platform", PLATFORMS)
def test_queries_are_the_four_screens(platform: str) -> None:
    """The root has one field a screen, each marked as such."""
    root = schema_of(platform).query_type
    assert root is not None
    marked = {
        name
        for name, field in root.fields.items()
        if any(isinstance(d, Screen) for d in strawberry_field(field).directives)  # type: ignore[union-attr]
    }
    assert marked == set(root.fields) == SCREENS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_sections_of_screens_are_nullable(platform: str) -> None:
    """A section that cannot be had is null and leaves the rest of its screen standing."""
    root = schema_of(platform).query_type
    assert root is not None
    for screen in root.fields.values():
        found = get_named_type(screen.type)
        assert isinstance(found, GraphQLObjectType)
        for name, field in found.fields.items():
            if batch_of(field) is not None:
                assert not str(field.type).endswith("!"), f"{found.name}.{name}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_home_reaches_known_loaders_only(platform: str) -> None:
    """Whatever is selected below home, no more than these loaders can be asked."""
    schema = schema_of(platform)
    assert schema.query_type is not None
    pending, seen = [get_named_type(schema.query_type.fields["home"].type)], set()
    loaders = set()
    while pending:
        found = pending.pop()
        if found.name in seen:
            continue
        seen.add(found.name)
        pending += schema.get_possible_types(found) if hasattr(found, "types") else ()
        for field in getattr(found, "fields", {}).values():
            batch = batch_of(field)
            if batch is not None:
                loaders.add(batch.loader.__name__)
            pending.append(get_named_type(field.type))
    assert loaders == HOME_LOADERS
