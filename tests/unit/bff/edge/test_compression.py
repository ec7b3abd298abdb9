"""bff/edge/compression.py: which coding, from which size, and that it can be undone."""

import gzip

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.edge.compression import compress

BODY = b'{"data":{"home":{"title":"A quiet morning at the harbour"}}}' * 40

UNDO = {
    "gzip": gzip.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
    "br": brotli.decompress,
    None: lambda body: body,
}


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=1.0, gzip;q=0.8", "br"),
        ("gzip;q=0, br", "br"),
        ("gzip;q=0", None),
        ("zstd;q=0, *", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("deflate, compress", None),
        ("GZIP", "gzip"),
        ("x" * 400 + ", br", "br"),
    ],
)
def test_codings_are_chosen(accept_encoding: str | None, coding: str | None) -> None:
    """The best weight wins, then what is cheapest here; the body can always be had back."""
    header = None if accept_encoding is None else accept_encoding.encode()
    body, chosen = compress(BODY, header, from_bytes=100)
    assert chosen == coding
    assert UNDO[chosen](body) == BODY
    assert len(body) < len(BODY) or chosen is None


@pytest.mark.parametrize("extra", [0, 1])
def test_small_bodies_stay(extra: int) -> None:
    """Below the limit nothing is compressed, from it on everything."""
    body, chosen = compress(BODY, b"gzip", from_bytes=len(BODY) + extra)
    assert (chosen is None) is bool(extra)
    assert UNDO[chosen](body) == BODY


def test_incompressible_bodies_stay() -> None:
    """A body that would grow is sent as it is."""
    noise = bytes(range(256)) * 2
    assert compress(noise[:256], b"gzip", from_bytes=1) == (noise[:256], None)


@settings(deadline=None)
@given(body=st.binary(max_size=2000), header=st.binary(max_size=40))
def test_any_header_keeps_body(body: bytes, header: bytes) -> None:
    """No header value loses a byte."""
    sent, chosen = compress(body, header, from_bytes=1)
    assert UNDO[chosen](sent) == body
