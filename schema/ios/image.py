"""Images for iOS: HEIC at the scale of the screen."""

from __future__ import annotations

import strawberry

from bff.contract import record
from bff.errors import BadUserInput
from bff.loaders.accounts import MediaRecord
from schema.blocks.image import image_url


def _url(root: MediaRecord, points: int = 120, scale: int = 3) -> str:
    if not 1 <= scale <= 3 or not 1 <= points <= 2048:
        raise BadUserInput("An image is asked for in 1 to 2048 points at scale 1 to 3.")
    return image_url(root, points * scale, "heic")


@strawberry.type(description="An image to be shown in so many points.")
@record(MediaRecord)
class Image:
    url: str = strawberry.field(
        resolver=_url, description="HEIC, at most `points` wide at the screen's `scale`."
    )
    width: int = strawberry.field(description="Of the original, in pixels.")
    height: int = strawberry.field(description="Of the original, in pixels.")
    blur_hash: str | None = strawberry.field(description="What to show until the bytes are there.")
    alt: str | None = strawberry.field(description="For VoiceOver.")
