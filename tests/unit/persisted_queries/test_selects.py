"""Promises of persisted_queries/selects.py."""

import pytest
from graphql import build_schema

from persisted_queries.selects import UNREADABLE, UnknownFieldError, field_of, selecting

SCHEMA = build_schema(
    """
    type Query { any: Item article: Article video: Video found: Found }
    interface Item { id: ID title: String }
    type Article implements Item { id: ID title: String body: String }
    type Video implements Item { id: ID title: String length: Int }
    type Page { title: String }
    union Found = Article | Page
    """
)
TEXTS = {
    "interface": "{ any { title } }",
    "fragment": "query A { found { ...F } } fragment F on Article { title }",
    "inline": "{ any { ... on Article { t: title } } }",
    "other": "{ video { title } }",
    "page": "{ found { ... on Page { title } } }",
    "none": "{ article { body } }",
}


def readers(field: str) -> dict[str, list[str]]:
    return selecting(SCHEMA, TEXTS.items(), *field_of(SCHEMA, field))


def test_a_type_is_read_through_interfaces() -> None:
    """On the type itself, in fragments and under an alias, and on its interface; not on others."""
    assert readers("Article.title") == {
        "interface": ["Item"],
        "fragment": ["Article"],
        "inline": ["Article"],
    }


def test_an_interface_is_read_through_types() -> None:
    """A field of an interface is read wherever a type that implements it is asked for it."""
    assert set(readers("Item.title")) == {"interface", "fragment", "inline", "other"}


def test_a_field_of_the_same_name_is_another() -> None:
    """Another type's field of that name does not count."""
    assert readers("Page.title") == {"page": ["Page"]}
    assert readers("Article.body") == {"none": ["Article"]}


def test_what_cannot_be_read_counts() -> None:
    """A text that is no GraphQL is not called unused."""
    assert selecting(SCHEMA, [("x", "{ title")], "Page", "title") == {"x": [UNREADABLE]}


@pytest.mark.parametrize("field", ["Article", "Article.", "Nope.title", "Found.title"])
def test_a_wrong_type_is_told(field: str) -> None:
    """What is no object or interface of the schema is refused with the way to write it."""
    with pytest.raises(UnknownFieldError, match=r"Type\.field"):
        field_of(SCHEMA, field)


def test_a_wrong_field_is_told() -> None:
    """A field the type does not have is refused, naming those it has."""
    with pytest.raises(UnknownFieldError, match="body, id, title"):
        field_of(SCHEMA, "Article.titel")
