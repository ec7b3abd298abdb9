"""The web schema: four screens and the mutations; the gateway loads `schema` from here."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from bff.contract import Screen
from schema.blocks.scalars import SCALARS
from schema.web.content import ContentScreen
from schema.web.home import HomeScreen
from schema.web.inbox import InboxScreen
from schema.web.mutations import Mutation
from schema.web.profile import ProfileScreen


def _content(id: strawberry.ID) -> ContentScreen:
    return ContentScreen(id=id)


@strawberry.type
class Query:
    home: HomeScreen = strawberry.field(
        resolver=lambda: HomeScreen(), directives=[Screen(deadline_ms=1_400)]
    )
    profile: ProfileScreen = strawberry.field(
        resolver=lambda: ProfileScreen(), directives=[Screen()]
    )
    content: ContentScreen = strawberry.field(resolver=_content, directives=[Screen()])
    inbox: InboxScreen = strawberry.field(resolver=lambda: InboxScreen(), directives=[Screen()])


schema = strawberry.Schema(Query, Mutation, config=StrawberryConfig(scalar_map=SCALARS))
