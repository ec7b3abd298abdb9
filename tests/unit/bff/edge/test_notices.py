"""bff/edge/notices.py: the headers that say that what an answer rests on ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bff.config import ClientConfig
from bff.standing import Notice
from tests.unit.bff.edge.fakes import Edge, edge, executed

URL = "https://docs.example/deprecations"
SINCE = datetime(2026, 5, 1, 9, 30, 15, 900_000, tzinfo=UTC)
ENDS = datetime(2027, 3, 31, 23, 59, 59, tzinfo=UTC)
NAMES = ("deprecation", "sunset", "link")


def answering(*notices: Notice | None, url: str | None = None) -> Edge:
    """An edge whose operations get these notices, in order."""
    left = list(notices)
    config = ClientConfig(deprecations_url=url)
    return edge(lambda _: executed(notice=left.pop(0), cache="private"), client=config)


async def headers(served: Edge, members: int | None = None) -> dict[str, str]:
    body = {"documentId": "x"}
    response = await served.post(body if members is None else [body] * members)
    return {name: value for name, value in response.headers.items() if name in NAMES}


async def test_notice_is_told_in_headers() -> None:
    """Deprecation is a structured date (RFC 9745), Sunset an HTTP date (RFC 8594), Link leads to
    the page the settings name."""
    assert await headers(answering(Notice(SINCE, ENDS), url=URL)) == {
        "deprecation": "@1777627815",
        "sunset": "Wed, 31 Mar 2027 23:59:59 GMT",
        "link": f'<{URL}>; rel="deprecation"; type="text/html"',
    }


@pytest.mark.parametrize(
    ("notice", "expected"),
    [
        (Notice(SINCE, None), {"deprecation": "@1777627815"}),
        (Notice(None, ENDS), {"sunset": "Wed, 31 Mar 2027 23:59:59 GMT"}),
        (None, {}),
    ],
)
async def test_unknown_dates_are_left_out(notice: Notice | None, expected: dict[str, str]) -> None:
    """What is not known is not told; an answer that rests on nothing that ends says nothing."""
    assert await headers(answering(notice)) == expected


async def test_dates_are_utc() -> None:
    """Whatever zone an instant is given in, the header has it in GMT."""
    east = timezone(timedelta(hours=9))
    notice = Notice(None, datetime(2027, 4, 1, 8, 59, 59, tzinfo=east))
    assert (await headers(answering(notice)))["sunset"] == "Wed, 31 Mar 2027 23:59:59 GMT"


async def test_batch_tells_the_earliest() -> None:
    """An array has one head for all its members: the earliest of their dates; none for none."""
    later = Notice(SINCE + timedelta(days=1), ENDS + timedelta(days=1))
    told = await headers(answering(later, None, Notice(SINCE, None), Notice(None, ENDS)), 4)
    assert told == {"deprecation": "@1777627815", "sunset": "Wed, 31 Mar 2027 23:59:59 GMT"}
    assert await headers(answering(None, None), 2) == {}


async def test_known_answer_says_it_again() -> None:
    """An answer the client has already (304) tells of the end as the answer itself does."""
    served = edge(lambda _: executed(notice=Notice(None, ENDS), cache="private"))
    first = await served.get(documentId="x")
    again = await served.http.get(
        "/graphql", params={"documentId": "x"}, headers={"if-none-match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert again.headers["sunset"] == first.headers["sunset"]
