"""bff/edge/query_string.py: a URL's query is read as the standard library reads it."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.edge.query_string import parameters

MOST = 8
# What escapes, separators and their halves are made of, and lower-case and unknown escapes.
PIECES = ["%", "%22", "%7B", "%7b", "%25", "%26", "%3D", "%2B", "%C3%A9", "%ff", "2", "2%", "%2"]
QUERIES = st.lists(st.sampled_from([*PIECES, *'&=+;"{} aé']), max_size=30).map("".join)
TEXTS = st.text(max_size=20)


def standard(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST
    )


@settings(max_examples=2_000, deadline=None)
@given(QUERIES.map(str.encode) | st.binary(max_size=20))
@example(b"a=%2522&%2%32=%%22&%32%32")
@example(b"")
@example(b"&" * MOST)
def test_any_query_is_read_alike(query: bytes) -> None:
    """The same names and values, or the same kind of refusal, whatever bytes come."""
    try:
        expected = standard(query)
    except ValueError as error:
        with pytest.raises(type(error)):
            parameters(query, most=MOST)
    else:
        assert parameters(query, most=MOST) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=MOST))
def test_encoded_pairs_come_back(pairs: list[tuple[str, str]]) -> None:
    """What is encoded as clients encode it arrives as it was."""
    query = urlencode(pairs, quote_via=quote_plus).encode()
    assert parameters(query, most=MOST) == pairs
