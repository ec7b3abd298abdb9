"""Addresses of video streams; which packaging a platform plays is the platform's own."""

from __future__ import annotations

from bff.loaders.content import StreamRecord
from schema.blocks.image import MEDIA_BASE


def stream_url(stream: StreamRecord, extension: str) -> str:
    """The address of one rendition of a video."""
    return f"{MEDIA_BASE}/{stream.key}.{extension}"
