"""Images for Android: WebP at the density bucket of the device."""

from __future__ import annotations

from enum import Enum

import strawberry

from bff.contract import record
from bff.errors import BadUserInput
from bff.loaders.accounts import MediaRecord
from schema.blocks.image import image_url


@strawberry.enum(description="Density buckets; the scale of a dp in pixels follows from it.")
class Density(Enum):
    MDPI = 1.0
    HDPI = 1.5
    XHDPI = 2.0
    XXHDPI = 3.0
    XXXHDPI = 4.0


def _url(root: MediaRecord, dp: int = 120, density: Density = Density.XXHDPI) -> str:
    if not 1 <= dp <= 2048:
        raise BadUserInput("An image is asked for in 1 to 2048 dp.")
    return image_url(root, round(dp * density.value), "webp")


@strawberry.type(description="An image to be shown in so many dp.")
@record(MediaRecord)
class Image:
    url: str = strawberry.field(
        resolver=_url, description="WebP, at most `dp` wide at the device's `density`."
    )
    width: int = strawberry.field(description="Of the original, in pixels.")
    height: int = strawberry.field(description="Of the original, in pixels.")
    blur_hash: str | None = strawberry.field(description="What to show until the bytes are there.")
    alt: str | None = strawberry.field(name="contentDescription", description="For TalkBack.")
