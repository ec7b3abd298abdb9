"""The image description every core service uses; the address of the bytes is the schema's."""

from __future__ import annotations

from bff.upstreams.method import Record


class MediaRecord(Record, frozen=True):
    """An image as stored: `key` names it, width and height are of the original in pixels."""

    key: str
    width: int
    height: int
    blur_hash: str | None
    alt: str | None
