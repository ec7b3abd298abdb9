"""Promises of schema/blocks: limits of pages, keys of writes, addresses, instants."""

from typing import Any

import pytest
import strawberry
from graphql import GraphQLError

from bff.errors import BadUserInput
from bff.loaders.accounts import MediaRecord
from bff.loaders.content import StreamRecord
from schema.blocks.image import image_url
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DATE_TIME
from schema.blocks.stream import stream_url
from schema.blocks.writing import given, idempotency_key
from tests.unit.schema.samples import Exchange

parse: Any = DATE_TIME.parse_value
IMAGE = MediaRecord("img/ab", 500, 300, None, None)


class Input:
    def __init__(self, key: str) -> None:
        self.idempotency_key = key


class Info:
    def __init__(self, header_key: str | None = None) -> None:
        self.context = Exchange(header_key=header_key).context


def key_of(key: str, header_key: str | None = None) -> str:
    info: Any = Info(header_key)
    return idempotency_key(info, Input(key))


@pytest.mark.parametrize("asked", [1, 50])
def test_allowed_sizes_pass_unchanged(asked: int) -> None:
    """A page size inside the limits is taken as asked."""
    assert checked_size(asked) == asked


@pytest.mark.parametrize("asked", [0, -1, 51, 2**31 - 1])
def test_other_sizes_are_refused(asked: int) -> None:
    """A size beyond the limits is refused, never quietly changed."""
    with pytest.raises(BadUserInput, match="1 to 50"):
        checked_size(asked)


def test_limits_of_size_can_differ() -> None:
    """A list may allow fewer entries, or none at all."""
    assert checked_size(0, most=10, least=0) == 0
    with pytest.raises(BadUserInput, match="0 to 10"):
        checked_size(11, most=10, least=0)


@pytest.mark.parametrize("key", ["k", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "~" * 255])
def test_visible_keys_are_taken(key: str) -> None:
    """A key of visible ASCII is the one the write carries, before the header's."""
    assert key_of(key, "from-header") == key


@pytest.mark.parametrize("key", ["", "a b", "a\nx-viewer: me", "é", "\x00", "k" * 256])
def test_other_keys_are_refused(key: str) -> None:
    """A key no service takes is refused here: it travels as a header, where a line feed would be
    another header."""
    with pytest.raises(BadUserInput, match="visible ASCII"):
        key_of(key)


def test_empty_key_leaves_it_to_header() -> None:
    """An empty key in the input stands for the request's own idempotency-key header."""
    assert key_of("", "from-header") == "from-header"


def test_given_tells_null_from_absent() -> None:
    """Null is a value that was given; what was left out is not there."""
    assert given(a=1, b=None, c=strawberry.UNSET, d="") == {"a": 1, "b": None, "d": ""}


@pytest.mark.parametrize(("asked", "width"), [(100, 100), (500, 500), (501, 500)])
def test_image_is_never_scaled_up(asked: int, width: int) -> None:
    """An image's address asks for the width wanted, at most the original's."""
    assert image_url(IMAGE, asked, "webp") == f"https://media.facet.local/img/ab/w{width}.webp"


def test_stream_has_an_address() -> None:
    """A rendition's address is its key in the packaging asked for."""
    stream = StreamRecord("720p", "vid/ab/720p", 2800)
    assert stream_url(stream, "mpd") == "https://media.facet.local/vid/ab/720p.mpd"


@pytest.mark.parametrize("value", ["2026-11-20T08:00:00Z", "2026-11-20T08:00:00.123+01:00"])
def test_instants_travel_as_written(value: str) -> None:
    """An instant is checked and handed on, not re-formatted."""
    assert parse(value) == value


@pytest.mark.parametrize("value", ["yesterday", "", 1, None, "2026-13-01T00:00:00Z"])
def test_other_instants_are_refused(value: object) -> None:
    """What is no RFC 3339 instant is refused with an example of one."""
    with pytest.raises(GraphQLError, match="2026-11-20T08:00:00Z"):
        parse(value)
