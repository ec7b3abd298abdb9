"""Addresses of image bytes; which formats and sizes a platform asks for is the platform's own."""

from __future__ import annotations

from bff.loaders.accounts import MediaRecord

MEDIA_BASE = "https://media.facet.local"


def image_url(image: MediaRecord, width: int, extension: str) -> str:
    """The address of an image scaled down to `width` pixels, never up."""
    return f"{MEDIA_BASE}/{image.key}/w{min(width, image.width)}.{extension}"
