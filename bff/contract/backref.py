"""What Strawberry keeps behind graphql-core's own fields and types."""

from __future__ import annotations

from graphql import GraphQLEnumType, GraphQLField
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

STRAWBERRY_BACKREF = "strawberry-definition"


def strawberry_field(field: GraphQLField | None) -> StrawberryField | None:
    """The Strawberry definition behind a graphql-core field, if it has one."""
    found = field.extensions.get(STRAWBERRY_BACKREF) if field is not None else None
    return found if isinstance(found, StrawberryField) else None


def strawberry_enum(declared: GraphQLEnumType) -> StrawberryEnumDefinition | None:
    """The Strawberry definition behind a graphql-core enum, if it has one."""
    found = declared.extensions.get(STRAWBERRY_BACKREF)
    return found if isinstance(found, StrawberryEnumDefinition) else None
