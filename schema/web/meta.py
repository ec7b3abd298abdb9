"""What search engines and link previews read of an item; only the web has it."""

from __future__ import annotations

import strawberry

from bff.contract import record
from bff.loaders.content import (
    ArticleDetailRecord,
    CollectionDetailRecord,
    ItemDetailRecord,
    VideoDetailRecord,
)

SITE = "https://facet.local"
DESCRIPTION_LENGTH = 160


def _canonical_url(root: ItemDetailRecord) -> str:
    return f"{SITE}/i/{root.id}"


def _description(root: ItemDetailRecord) -> str:
    """Search engines show about this much; an item without a summary is described by its title."""
    text = " ".join((root.summary or root.title).split())
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    return text[: DESCRIPTION_LENGTH - 1].rstrip() + "…"


@strawberry.type(description="For the head of the item's page.")
@record(ArticleDetailRecord, VideoDetailRecord, CollectionDetailRecord)
class Meta:
    canonical_url: str = strawberry.field(resolver=_canonical_url)
    description: str = strawberry.field(
        resolver=_description, description="At most 160 characters, plain text."
    )


def meta(root: ItemDetailRecord) -> ItemDetailRecord:
    """The item itself: what is said of it follows from its own fields."""
    return root
