"""bff/edge/negotiation.py: the media type of an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.edge.negotiation import negotiate, prefers_html
from tests.unit.bff.edge.fakes import GRAPHQL, JSON

IOS = "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, "
    "text/event-stream, multipart/mixed"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        # what real clients send
        (None, JSON),
        (IOS, GRAPHQL),
        (IOS.replace(",", ", "), GRAPHQL),
        ("application/graphql-response+json,application/json;q=0.9", GRAPHQL),
        (URQL, GRAPHQL),
        ("text/event-stream, multipart/mixed", JSON),
        ("*/*", JSON),
        (BROWSER, JSON),
        # the one type or the other
        ("application/json", JSON),
        ("application/graphql-response+json", GRAPHQL),
        ("Application/GraphQL-Response+JSON; charset=utf-8", GRAPHQL),
        ("application/json, application/graphql-response+json", GRAPHQL),
        # weights
        ("application/json, application/graphql-response+json;q=0.9", JSON),
        ("application/json;q=0.2, application/graphql-response+json;q=0.3", GRAPHQL),
        ("application/graphql-response+json;q=0, application/json", JSON),
        ("application/graphql-response+json;q=0, */*", JSON),
        ("application/graphql-response+json;q=0.5, */*", JSON),
        ("application/graphql-response+json;q=0.5, */*;q=0.1", GRAPHQL),
        ("application/graphql-response+json;q=0.5, application/*", JSON),
        ("application/json;q=0, */*", GRAPHQL),
        ("application/json;q=0, application/*;q=0.1", GRAPHQL),
        ("application/graphql-response+json;q=1.000", GRAPHQL),
        ("application/graphql-response+json;q=nonsense, application/json;q=0.5", GRAPHQL),
        # nothing of ours: disregarded
        ("application/*", JSON),
        ("text/html", JSON),
        ("application/json;q=0", JSON),
        ("image/*;q=0.1, , ;q=1", JSON),
        ("", JSON),
        ("x" * 400 + ", application/graphql-response+json", GRAPHQL),
    ],
)
def test_types_are_chosen(accept: str | None, chosen: str) -> None:
    """The new type only where it is named and not below JSON; JSON for everything else."""
    assert negotiate(None if accept is None else accept.encode()) == chosen


@pytest.mark.parametrize(
    ("accept", "browser"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML", True),
        (None, False),
        ("*/*", False),
        (JSON, False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
    ],
)
def test_browsers_are_recognised(accept: str | None, browser: bool) -> None:
    """Only who names `text/html`, above JSON, is taken for a browser."""
    assert prefers_html(None if accept is None else accept.encode()) is browser


@settings(deadline=None)
@given(accept=st.binary(max_size=300) | st.text("*/;,q=01.ajson", max_size=40).map(str.encode))
def test_any_header_is_negotiated(accept: bytes) -> None:
    """No header value breaks negotiation."""
    assert negotiate(accept) in (JSON, GRAPHQL)
    prefers_html(accept)
