"""Images for the web: AVIF in the widths of a responsive layout."""

from __future__ import annotations

import strawberry

from bff.contract import record
from bff.errors import BadUserInput
from bff.loaders.accounts import MediaRecord
from schema.blocks.image import image_url

WIDTHS = [320, 640, 960, 1280]
MOST_WIDTHS = 8


def _checked(width: int) -> int:
    if not 1 <= width <= 4096:
        raise BadUserInput("An image is asked for in widths of 1 to 4096 pixels.")
    return width


def _src(root: MediaRecord, width: int = 640) -> str:
    return image_url(root, _checked(width), "avif")


def _src_set(root: MediaRecord, widths: list[int] = WIDTHS) -> str:
    if not 1 <= len(widths) <= MOST_WIDTHS:
        raise BadUserInput(f"A srcSet has 1 to {MOST_WIDTHS} widths.")
    shown = sorted({min(_checked(width), root.width) for width in widths})
    return ", ".join(f"{image_url(root, width, 'avif')} {width}w" for width in shown)


@strawberry.type(description="An image in AVIF, never wider than the original.")
@record(MediaRecord)
class Image:
    src: str = strawberry.field(resolver=_src)
    src_set: str = strawberry.field(
        resolver=_src_set, description="For `<img srcset>`: one candidate a width, narrowest first."
    )
    width: int = strawberry.field(description="Of the original, in pixels.")
    height: int = strawberry.field(description="Of the original, in pixels.")
    blur_hash: str | None = strawberry.field(description="What to show until the bytes are there.")
    alt: str | None
