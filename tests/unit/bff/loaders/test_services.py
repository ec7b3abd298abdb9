"""The loaders of the three services over their wire format: keys out, records back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bff.errors import FieldError, UpstreamUnavailable
from bff.loaders import accounts, content, notifications
from bff.loaders.base import Loader
from bff.loaders.content import PageKey, RelatedKey, ThreadKey
from bff.loaders.notifications import InboxKey
from bff.upstreams.transport import Incoming, Outgoing
from tests.unit.bff.upstreams.fakes import FakeTransport, answer, by_path, caller, problem

Made = Callable[[Outgoing], Any]
AT = "2026-11-01T00:00:00.000000Z"


def asked(call: Outgoing) -> Any:
    """The body of a call."""
    return json.loads(call.body or b"null")


def query(call: Outgoing) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(call.url).query).items()}


def item(item_id: str) -> dict[str, Any]:
    return {
        "kind": "article",
        "id": item_id,
        "title": "T",
        "summary": None,
        "author_id": "a",
        "image": None,
        "topics": [],
        "published_at": AT,
        "updated_at": AT,
        "revision": 1,
        "reading_minutes": 1,
        "word_count": 1,
        "body": ["P"],
    }


def thread(item_id: str, first: int, after: str | None) -> dict[str, Any]:
    comment = {
        "id": f"{item_id}:{first}:{after}",
        "author_id": "a",
        "text": "x",
        "like_count": 0,
        "created_at": AT,
        "revision": 1,
    }
    return {
        "item_id": item_id,
        "total": 1,
        "comments": [comment],
        "next_cursor": None,
        "has_more": False,
    }


def only_known(make: Callable[[str], dict[str, Any]], name: str) -> Made:
    """Answers with a record for each id asked for, in another order, without those in `gone`."""
    return lambda call: {name: [make(one) for one in reversed(asked(call)["ids"]) if one != "gone"]}


def card(account_id: str) -> dict[str, Any]:
    return {
        "id": account_id,
        "handle": "h",
        "display_name": "D",
        "avatar": None,
        "verified": False,
        "follower_count": 0,
    }


def stats(item_id: str) -> dict[str, Any]:
    return {"item_id": item_id, "views": 1, "likes": 1, "comments": 1, "shares": 1}


def state(item_id: str) -> dict[str, Any]:
    return {"item_id": item_id, "saved": True, "saved_at": AT, "progress": None}


BY_ID: list[tuple[type[Loader[str, Any]], str, Made, str]] = [
    (accounts.AccountCardByIdLoader, "/v1/cards/batch", only_known(card, "cards"), "id"),
    (content.ItemByIdLoader, "/v1/items/batch", only_known(item, "items"), "id"),
    (content.ItemDetailByIdLoader, "/v1/item-details/batch", only_known(item, "items"), "id"),
    (content.StatsByItemIdLoader, "/v1/stats/batch", only_known(stats, "stats"), "item_id"),
    (
        content.ViewerStateByItemIdLoader,
        "/v1/viewer-states/batch",
        only_known(state, "states"),
        "item_id",
    ),
]


async def load(loader: Loader[Any, Any], keys: Sequence[Any]) -> list[Any]:
    futures = (loader.load(key) for key in keys)
    return list(await asyncio.gather(*futures, return_exceptions=True))


@pytest.mark.parametrize(("kind", "path", "made", "key"), BY_ID, ids=[b[0].__name__ for b in BY_ID])
async def test_ids_become_one_call(
    kind: type[Loader[str, Any]], path: str, made: Made, key: str
) -> None:
    """Many ids are one call; answers are put to their ids, whatever their order, None for those
    left out."""
    transport = by_path({path: made})
    found = await load(kind(caller(transport)), ["2", "gone", "1", "2"])
    assert [getattr(one, key, None) for one in found] == ["2", None, "1", "2"]
    assert [body["ids"] for body in transport.bodies] == [["2", "gone", "1"]]


@pytest.mark.parametrize(("kind", "path", "made", "key"), BY_ID, ids=[b[0].__name__ for b in BY_ID])
async def test_many_ids_become_two_calls(
    kind: type[Loader[str, Any]], path: str, made: Made, key: str
) -> None:
    """Beyond 200 ids a second call goes out."""
    transport = by_path({path: made})
    found = await load(kind(caller(transport)), [str(number) for number in range(201)])
    assert [getattr(one, key) for one in found] == [str(number) for number in range(201)]
    assert sorted(len(body["ids"]) for body in transport.bodies) == [1, 200]


VIEWER_LOADERS: list[tuple[type[Loader[Any, Any]], Any]] = [
    (accounts.ProfileByViewerLoader, "account-1"),
    (content.FeedPageByPageLoader, PageKey(1)),
    (content.SavedPageByPageLoader, PageKey(1)),
    (content.ContinueByFirstLoader, 1),
    (content.ViewerStateByItemIdLoader, "1"),
    (notifications.InboxHeadByFirstLoader, 1),
    (notifications.InboxPageByPageLoader, InboxKey(1)),
    (notifications.PreferencesByViewerLoader, "account-1"),
]


@pytest.mark.parametrize(
    ("kind", "key"), VIEWER_LOADERS, ids=[kind.__name__ for kind, _ in VIEWER_LOADERS]
)
async def test_viewer_data_needs_a_viewer(kind: type[Loader[Any, Any]], key: Any) -> None:
    """Nobody's feed, inbox or profile is asked for without a viewer."""
    transport = by_path({})
    (found,) = await load(kind(caller(transport, viewer=None)), [key])
    assert getattr(found, "code", None) == "UNAUTHENTICATED"
    assert transport.calls == []


def comments(call: Outgoing) -> Any:
    wanted, first = asked(call)["threads"], asked(call)["first"]
    ids = [one["item_id"] for one in wanted]
    if len(ids) != len(set(ids)):
        return problem(422, "BAD_INPUT", "One page an item.")
    known = [one for one in wanted if one["item_id"] != "gone"]
    return {"threads": [thread(one["item_id"], first, one["after"]) for one in known]}


async def test_threads_group_by_page_size() -> None:
    """Threads with one page size share a call; two pages of one item need two."""
    transport = by_path({"/v1/comments/batch": comments})
    keys = [
        ThreadKey("1", 10),
        ThreadKey("2", 10),
        ThreadKey("1", 3),
        ThreadKey("1", 10, "c"),
        ThreadKey("gone", 10),
    ]
    found = await load(content.ThreadByItemIdLoader(caller(transport)), keys)
    assert [one and one.comments[0].id for one in found] == [
        "1:10:None",
        "2:10:None",
        "1:3:None",
        "1:10:c",
        None,
    ]
    sent = [
        (body["first"], [one["item_id"] for one in body["threads"]]) for body in transport.bodies
    ]
    assert sorted(sent) == [(3, ["1"]), (10, ["1"]), (10, ["1", "2", "gone"])]


async def test_threads_are_fifty_a_call() -> None:
    """Comments take 50 threads a call."""
    transport = by_path({"/v1/comments/batch": comments})
    keys = [ThreadKey(str(number), 2) for number in range(51)]
    found = await load(content.ThreadByItemIdLoader(caller(transport)), keys)
    assert [one.item_id for one in found] == [key.item_id for key in keys]
    assert sorted(len(body["threads"]) for body in transport.bodies) == [1, 50]


async def test_failed_page_size_costs_its_threads() -> None:
    """A call for one page size that fails leaves the threads of the others."""

    def answering(call: Outgoing) -> Any:
        return problem(500, "INTERNAL") if asked(call)["first"] == 3 else comments(call)

    transport = by_path({"/v1/comments/batch": answering})
    keys = [ThreadKey("1", 3), ThreadKey("1", 10), ThreadKey("2", 3)]
    found = await load(content.ThreadByItemIdLoader(caller(transport)), keys)
    assert [type(one) for one in found] == [
        UpstreamUnavailable,
        content.ThreadRecord,
        UpstreamUnavailable,
    ]


async def test_related_asks_for_the_most() -> None:
    """One call with the largest number serves every number asked for, each item once."""

    def answering(call: Outgoing) -> Any:
        body = asked(call)
        items = [item(f"r{number}") for number in range(body["first"])]
        return {"related": [{"item_id": one, "items": items} for one in body["ids"]]}

    transport = by_path({"/v1/related/batch": answering})
    keys = [RelatedKey("1", 2), RelatedKey("1", 5), RelatedKey("2", 3)]
    found = await load(content.RelatedByItemIdLoader(caller(transport)), keys)
    assert [(one.item_id, len(one.items)) for one in found] == [("1", 2), ("1", 5), ("2", 3)]
    assert transport.bodies == [{"ids": ["1", "2"], "first": 5}]


async def test_unknown_item_has_no_relatives() -> None:
    """An item the service does not know is None."""
    transport = by_path({"/v1/related/batch": {"related": []}})
    assert await load(
        content.RelatedByItemIdLoader(caller(transport)), [RelatedKey("gone", 2)]
    ) == [None]


def entries(call: Outgoing) -> Any:
    progress = {"fraction": 0.5, "position_s": None, "updated_at": AT, "revision": 1}
    numbers = range(int(query(call)["first"]))
    return {
        "entries": [{"item": item(str(n)), "saved": True, "progress": progress} for n in numbers]
    }


async def test_continue_asks_for_the_most() -> None:
    """Several numbers of entries are one call, each cut to its own."""
    transport = by_path({"/v1/continue": entries})
    found = await load(content.ContinueByFirstLoader(caller(transport)), [2, 5, 1])
    assert [len(one.entries) for one in found] == [2, 5, 1]
    assert [query(call) for call in transport.calls] == [{"first": "5"}]


def head(call: Outgoing) -> Any:
    latest = [
        {
            "id": str(number),
            "kind": "comment",
            "actor_id": None,
            "item_id": None,
            "text": "T",
            "created_at": AT,
            "read_at": None,
            "revision": 1,
        }
        for number in range(int(query(call)["first"]))
    ]
    return {"unread": 7, "latest": latest, "revision": 1, "updated_at": AT}


async def test_unknown_kind_costs_itself_only() -> None:
    """A notification of a kind this gateway does not know is left out; the others are shown."""

    def newer(call: Outgoing) -> Any:
        answer = head(call)
        answer["latest"][0]["kind"] = "poke"
        return answer

    transport = by_path({"/v1/inbox/head": newer})
    (found,) = await load(notifications.InboxHeadByFirstLoader(caller(transport)), [3])
    assert [one.id for one in found.latest] == ["1", "2"]


async def test_inbox_head_asks_for_the_most() -> None:
    """Badge and newest few are one call; zero entries are a badge alone."""
    transport = by_path({"/v1/inbox/head": head})
    found = await load(notifications.InboxHeadByFirstLoader(caller(transport)), [0, 2])
    assert [(one.unread, len(one.latest)) for one in found] == [(7, 0), (7, 2)]
    assert len(transport.calls) == 1


def failing_after(bad: str, page: dict[str, Any]) -> FakeTransport:
    """Answers every page but the one after `bad`."""

    def answering(call: Outgoing) -> Incoming:
        return problem(500, "INTERNAL") if query(call).get("after") == bad else answer(page)

    return FakeTransport(answering)


PAGE: dict[str, Any] = {"entries": [], "next_cursor": None, "has_more": False}
PAGES: list[tuple[type[Loader[Any, Any]], dict[str, Any], Callable[..., Any]]] = [
    (content.FeedPageByPageLoader, PAGE, PageKey),
    (content.SavedPageByPageLoader, {**PAGE, "total": 0}, PageKey),
    (
        notifications.InboxPageByPageLoader,
        {"notifications": [], "unread": 0, "revision": 1, "next_cursor": None, "has_more": False},
        InboxKey,
    ),
]


@pytest.mark.parametrize(("kind", "page", "key"), PAGES, ids=[p[0].__name__ for p in PAGES])
async def test_pages_fail_apart(
    kind: type[Loader[Any, Any]], page: dict[str, Any], key: Callable[..., Any]
) -> None:
    """Two pages are two calls; one that fails leaves the other."""
    transport = failing_after("broken", page)
    good, bad = await load(kind(caller(transport)), [key(2), key(2, "broken")])
    assert not isinstance(good, BaseException)
    assert isinstance(bad, FieldError)
    assert sorted(query(call).get("after", "") for call in transport.calls) == ["", "broken"]


async def test_inbox_kind_is_asked_for() -> None:
    """A page of one kind of notification says so to the service."""
    transport = failing_after("broken", PAGES[2][1])
    loader = notifications.InboxPageByPageLoader(caller(transport))
    await load(loader, [InboxKey(3, None, "new_comment")])
    assert query(transport.calls[0]) == {"first": "3", "kind": "new_comment"}


PROFILE = {
    **card("account-1"),
    "bio": None,
    "email": "e",
    "phone": None,
    "locale": "en",
    "following_count": 0,
    "joined_at": AT,
    "revision": 1,
    "updated_at": AT,
    "addresses": [],
    "devices": [],
}
PREFERENCES: dict[str, Any] = {
    "preferences": [],
    "quiet_hours": None,
    "revision": 1,
    "updated_at": AT,
}


async def test_profile_is_the_viewers_alone() -> None:
    """The profile of the viewer is never handed out under another account's id."""
    transport = by_path({"/v1/profile": PROFILE})
    loader = accounts.ProfileByViewerLoader(caller(transport))
    own, other = await load(loader, ["account-1", "account-2"])
    assert (own.id, other) == ("account-1", None)


async def test_preferences_are_the_viewers_alone() -> None:
    """The preferences of the viewer are never handed out under another account's id."""
    transport = by_path({"/v1/preferences": PREFERENCES})
    loader = notifications.PreferencesByViewerLoader(caller(transport))
    own, other = await load(loader, ["account-1", "account-2"])
    assert own is not None
    assert other is None
    assert len(transport.calls) == 1


@pytest.mark.parametrize("bad", ["x" * 65, "\x00", "a b", "ä", ""])
async def test_bad_id_costs_itself_only(bad: str) -> None:
    """An id no service would take is not asked for: the others of its batch are answered."""
    transport = by_path({"/v1/stats/batch": only_known(stats, "stats")})
    found = await load(content.StatsByItemIdLoader(caller(transport)), ["1", bad, "2"])
    assert [one and one.item_id for one in found] == ["1", None, "2"]
    assert transport.bodies == [{"ids": ["1", "2"]}]


async def test_only_bad_ids_ask_nobody() -> None:
    """With nothing to ask for there is no call."""
    transport = by_path({"/v1/stats/batch": only_known(stats, "stats")})
    assert await load(content.StatsByItemIdLoader(caller(transport)), ["x" * 65]) == [None]
    assert transport.calls == []


async def test_bad_cursor_costs_its_thread_only() -> None:
    """A cursor the service refuses fails its own page; first pages beside it are one call."""

    def pages(call: Outgoing) -> Any:
        body = asked(call)
        if any(one["after"] == "bad" for one in body["threads"]):
            return problem(422, "BAD_CURSOR", "Start again without a cursor.")
        return {
            "threads": [
                thread(one["item_id"], body["first"], one["after"]) for one in body["threads"]
            ]
        }

    transport = by_path({"/v1/comments/batch": pages})
    keys = [ThreadKey("1", 5), ThreadKey("2", 5), ThreadKey("3", 5, "bad")]
    first, second, third = await load(content.ThreadByItemIdLoader(caller(transport)), keys)
    assert (first.item_id, second.item_id) == ("1", "2")
    assert isinstance(third, FieldError)
    assert len(transport.calls) == 2
