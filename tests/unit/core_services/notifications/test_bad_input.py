"""What notifications refuses: with a 422 that names the field, and never with a 5xx."""

import base64
from typing import Any

import pytest

from core_services.notifications.store import INBOX_AFTER
from tests.unit.core_services.content.seeded import Seeded

DEMO = "acc_00001"


@pytest.mark.parametrize(
    ("path", "first"),
    [
        *(("/inbox/head", first) for first in ("-1", "11", "x", "", "9" * 60)),
        *(("/inbox", first) for first in ("0", "51", "x", "", "9" * 60)),
    ],
)
async def test_page_size_is_never_shrunk(inbox: Seeded, path: str, first: str) -> None:
    """A page size out of bounds is refused with its name."""
    answer = await inbox.call("GET", path, DEMO, params={"first": first})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")
    assert answer.json()["errors"][0]["field"] == "first"


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "🙂",
        _cursor('["feed",1,"ntf_000001"]'),
        _cursor(f'["inbox",{2**63},"ntf_000001"]'),
        _cursor('["inbox","1","ntf_000001"]'),
        _cursor('["inbox",1]'),
        _cursor("null"),
    ],
)
async def test_inbox_refuses_foreign_cursors(inbox: Seeded, cursor: str) -> None:
    """A made-up cursor, or one of another list, is BAD_CURSOR."""
    answer = await inbox.call("GET", "/inbox", DEMO, params={"after": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR"), answer.text


@pytest.mark.parametrize("at", [-(2**63), 0, 2**63 - 1])
async def test_extreme_cursors_are_places(inbox: Seeded, at: int) -> None:
    """A cursor at the ends of time is a place like any other: an answer, not an overflow."""
    params = {"after": INBOX_AFTER.encode(at, "ntf_999999")}
    assert (await inbox.call("GET", "/inbox", DEMO, params=params)).status_code == 200


async def test_unknown_kind_is_refused(inbox: Seeded) -> None:
    """A kind that does not exist is refused, not answered with nothing."""
    answer = await inbox.call("GET", "/inbox", DEMO, params={"kind": "poke"})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")


_BODIES: list[Any] = [
    {},
    {"ids": [], "up_to": None},
    {"ids": ["ntf_000001"], "up_to": "ntf_000001"},
    {"ids": []},
    {"ids": ["a"] * 101},
    {"ids": ["a" * 65]},
    {"ids": ["a\0"]},
    {"ids": [1]},
    {"ids": None},
    {"up_to": None},
    {"up_to": "a\0"},
    {"up_to": 10**18},
    {"up_to": ["ntf_000001"]},
    {"ids": ["ntf_000001"], "more": 1},
    [],
    None,
    "ntf_000001",
]


@pytest.mark.parametrize("body", _BODIES)
async def test_marking_takes_one_form(inbox: Seeded, body: Any) -> None:
    """Exactly one of `ids` (1 to 100) and `up_to`, and nothing else, is taken."""
    answer = await inbox.call("POST", "/inbox/read", DEMO, "bad", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT"), answer.text


async def test_marking_takes_100_ids(inbox: Seeded) -> None:
    """A hundred ids are within bounds: here all unknown, so not found."""
    body = {"ids": [f"none_{number}" for number in range(100)]}
    answer = await inbox.call("POST", "/inbox/read", DEMO, "hundred", json=body)
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/inbox/head", "/inbox", "/preferences"])
async def test_every_read_needs_viewer(inbox: Seeded, path: str) -> None:
    """A caller that asserts no viewer gets VIEWER_REQUIRED."""
    answer = await inbox.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (401, "VIEWER_REQUIRED")
