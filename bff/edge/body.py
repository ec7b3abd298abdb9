"""Reads the body of a POST: only JSON, only uncompressed, never more than the cap."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from starlette.types import Receive

from bff.errors import BadRequest, RequestTooLarge, UnsupportedMediaType

_LONGEST_CACHED = 128


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole: there is nobody to answer."""


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """Only `application/json` in UTF-8 without content coding is read.

    This is also the defence of POST against cross-site requests: no browser sends that type
    cross-origin without asking first. Raises UnsupportedMediaType.
    """
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise UnsupportedMediaType(
            "header 'content-encoding': compressed request bodies are not read; send it as it is"
        )
    sent = headers.get(b"content-type")
    if sent is None:
        raise UnsupportedMediaType("header 'content-type' is missing; send application/json")
    cached = len(sent) <= _LONGEST_CACHED
    complaint = _complaint(sent) if cached else _complaint.__wrapped__(sent)
    if complaint is not None:
        raise UnsupportedMediaType(complaint)


@lru_cache(maxsize=256)
def _complaint(content_type: bytes) -> str | None:
    """What is wrong with a content type, or None (RFC 9110 §8.3.1)."""
    media_type, *parameters = content_type.split(b";")
    if media_type.strip().lower() != b"application/json":
        return "header 'content-type': only application/json is read; send the request as JSON"
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip().lower() == b"charset" and value.strip(b' \t"').lower() != b"utf-8":
            return "header 'content-type': only charset utf-8 is read; leave the charset out"
    return None


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, max_bytes: int) -> bytes:
    """The whole body. A declared length over the cap is refused unread; an undeclared one as soon
    as the cap is passed.

    Raises RequestTooLarge, BadRequest (a length that is no number) and ClientGoneError.
    """
    _check_length(headers.get(b"content-length"), max_bytes)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # What nearly every phone sends: one small message, no joining.
        body: bytes = message.get("body", b"")
        return _within(body, max_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _check_length(declared: bytes | None, max_bytes: int) -> None:
    if declared is None:
        return
    if not declared.isdigit():
        raise BadRequest("header 'content-length' must be one decimal number")
    # The digits are counted first: a number of thousands of digits is not worth parsing.
    if len(declared) > 19 or int(declared) > max_bytes:
        raise _too_large(max_bytes)


def _within(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"the body is larger than {max_bytes} bytes; send the document id instead of its text, "
        "or fewer variables"
    )
