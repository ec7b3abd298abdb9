"""Every operation of the sample apps runs on its schema, with real loaders over sample answers."""

from collections import Counter
from functools import cache
from typing import Any

import pytest
from graphql import ExecutionResult
from strawberry import Schema

from bff import config
from bff.app import load_schema
from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import read_releases
from tests.unit.schema.samples import AT, ITEM_IDS, VIEWER, Exchange

PLATFORMS = tuple(config.load().platforms)
HOME_CALLS = {"cards", "feed", "stats", "inbox_head"}
DEVICE = {
    "ios": {"deviceModel": "iPhone17,1", "deviceName": "Ada's phone"},
    "android": {"deviceManufacturer": "Google", "deviceModel": "Pixel 10", "deviceName": "Pixel"},
    "web": {"browser": "Firefox 146", "operatingSystem": "Linux"},
}
SENT_DEVICE = {
    "ios": {"platform": "ios", "model": "iPhone17,1", "name": "Ada's phone"},
    "android": {"platform": "android", "model": "Google Pixel 10", "name": "Pixel"},
    "web": {"platform": "web", "model": "Firefox 146", "name": "Firefox 146 on Linux"},
}
KEY = {"idempotencyKey": "k1"}
ADDRESS = {
    "label": "Home",
    "line1": "1 Pier",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
}


def inputs(platform: str) -> dict[str, dict[str, Any]]:
    """Operation name → a mutation's input."""
    return {
        "SignIn": {"handle": "demo", "password": "p", **DEVICE[platform]},
        "SignOut": {},
        "MarkRead": {"upTo": "ntf_6"},
        "SaveItem": {"itemId": "itm_1"},
        "UnsaveItem": {"itemId": "itm_1"},
        "EditProfile": {"bio": None, "displayName": "Ada L."},
        "AddAddress": ADDRESS,
    }


@cache
def schema_of(platform: str) -> Schema:
    return load_schema(config.load().platforms[platform])


def operations(platform: str) -> list[ManifestOperation]:
    releases = read_releases(config.load().platforms[platform].releases, platform)
    return [one for release in releases for one in release.manifest.operations]


def newest(platform: str, name: str) -> ManifestOperation:
    return [one for one in operations(platform) if one.name == name][-1]


async def execute(
    platform: str,
    text: str,
    exchange: Exchange,
    variables: dict[str, Any] | None = None,
) -> ExecutionResult:
    found: Any = await schema_of(platform).execute(
        text, variable_values=variables, context_value=exchange.context
    )
    return found  # type: ignore[no-any-return]


def variables_for(platform: str, operation: ManifestOperation) -> dict[str, Any]:
    if operation.type == "mutation":
        return {"input": {**KEY, **inputs(platform)[operation.name]}}
    return {"id": "itm_1"} if "$id: ID!" in operation.body else {}


EVERY = [
    pytest.param(platform, operation, id=f"{platform}-{operation.name}-{operation.id[:6]}")
    for platform in PLATFORMS
    for operation in operations(platform)
]


@pytest.mark.parametrize(("platform", "operation"), EVERY)
async def test_operation_answers_without_errors(
    platform: str, operation: ManifestOperation
) -> None:
    """Every registered operation, of old releases too, is answered whole, enums and unions too."""
    exchange = Exchange()
    result = await execute(platform, operation.body, exchange, variables_for(platform, operation))
    assert result.errors is None
    assert result.data is not None
    assert all(section is not None for section in result.data.values())
    assert exchange.caller.calls


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_asks_four_methods(platform: str) -> None:
    """Home asks for nothing but cards, feed, stats and the inbox head; only cards more than once,
    as the viewer's key is known before the feed answers."""
    exchange = Exchange()
    await execute(platform, newest(platform, "Home").body, exchange)
    counts = Counter(exchange.caller.names)
    assert set(counts) == HOME_CALLS
    assert {name for name, times in counts.items() if times > 1} <= {"cards"}


@pytest.mark.parametrize(("platform", "size"), [("ios", 12), ("android", 10), ("web", 20)])
async def test_home_pages_by_platform(platform: str, size: int) -> None:
    """Each platform asks the feed for its own page size, whatever the paging is called."""
    exchange = Exchange()
    await execute(platform, newest(platform, "Home").body, exchange)
    sent = dict(exchange.caller.calls)["feed"]
    assert sent == {"query": {"first": size, "after": None}}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_signed_out_home_says_so(platform: str) -> None:
    """Without a viewer each section is null with UNAUTHENTICATED, and no service is asked."""
    exchange = Exchange(signed_in=False)
    result = await execute(platform, newest(platform, "Home").body, exchange)
    assert result.data is not None
    sections = [result.data["home"][name] for name in ("viewer", "feed", "inbox")]
    assert sections == [None] * 3
    codes = [getattr(error.original_error, "code", None) for error in result.errors or ()]
    assert codes == ["UNAUTHENTICATED"] * 3
    assert exchange.caller.calls == []


async def test_public_content_needs_no_viewer() -> None:
    """The web's public document is answered whole to nobody in particular."""
    exchange = Exchange(signed_in=False)
    operation = newest("web", "PublicContent")
    result = await execute("web", operation.body, exchange, {"id": "itm_1"})
    assert result.errors is None
    assert result.data is not None
    assert result.data["content"]["item"]["meta"] == {
        "canonicalUrl": "https://facet.local/i/itm_1",
        "description": "Short.",
        "__typename": "Meta",
    }


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_unknown_item_is_null(platform: str) -> None:
    """A content screen of an item that is not there has a null item and no error."""
    result = await execute(platform, '{ content(id: "no") { item { __typename } } }', Exchange())
    assert result.errors is None
    assert result.data == {"content": {"item": None}}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_collection_keeps_gone_places(platform: str) -> None:
    """A collection's entries keep their order, null where an item is gone."""
    text = """{ content(id: "itm_2") { item { ... on CollectionDetail {
        entries { ... on Item { id } } } } } }"""
    result = await execute(platform, text, Exchange())
    assert result.data == {"content": {"item": {"entries": [{"id": "itm_0"}, None]}}}


async def test_edges_know_one_cursor() -> None:
    """On the web the last edge of a page has the cursor that pageInfo has, the others none."""
    text = (
        "{ home { feed { edges { cursor node { ... on Item { id } } } pageInfo { endCursor } } } }"
    )
    result = await execute("web", text, Exchange())
    assert result.data is not None
    feed = result.data["home"]["feed"]
    assert [edge["cursor"] for edge in feed["edges"]] == [None, None, None, "c2"]
    assert [edge["node"]["id"] for edge in feed["edges"]] == [*ITEM_IDS, ITEM_IDS[0]]
    assert feed["pageInfo"] == {"endCursor": "c2"}


async def test_channels_follow_preferences() -> None:
    """On Android a kind's channel importance follows from push and in-app, higher for people."""
    text = "{ inbox { preferences { preferences { channel { id importance } } } } }"
    result = await execute("android", text, Exchange())
    assert result.data is not None
    found = result.data["inbox"]["preferences"]["preferences"]
    assert [one["channel"] for one in found] == [
        {"id": "facet.like", "importance": "NONE"},
        {"id": "facet.follow", "importance": "LOW"},
        {"id": "facet.new_content", "importance": "DEFAULT"},
        {"id": "facet.mention", "importance": "HIGH"},
    ]


@pytest.mark.parametrize(
    ("platform", "text", "expected"),
    [
        ("ios", "{ home { feed { entries { item { ... on Article { readTime } } } } } }", "4 min"),
        (
            "android",
            "{ home { viewer { avatarUrl } } }",
            "https://media.facet.local/img/ab/w144.webp",
        ),
        ("web", "{ home { feed { edges { node { ... on Video { durationText } } } } } }", "10:05"),
    ],
)
async def test_deprecated_fields_still_answer(platform: str, text: str, expected: str) -> None:
    """A deprecated field answers as it always did until its sunset."""
    result = await execute(platform, text, Exchange())
    assert result.errors is None
    assert expected in str(result.data)


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_sign_in_tells_the_device(platform: str) -> None:
    """Signing in names platform and device as the service wants them, and needs no viewer."""
    exchange = Exchange(signed_in=False)
    operation = newest(platform, "SignIn")
    variables = {"input": {**KEY, **inputs(platform)["SignIn"]}}
    await execute(platform, operation.body, exchange, variables)
    name, sent = exchange.caller.calls[0]
    assert name == "sign_in"
    assert sent["body"] == {"handle": "demo", "password": "p", "device": SENT_DEVICE[platform]}
    assert sent["key"] == "k1"


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_sign_out_moves_the_epoch(platform: str) -> None:
    """After a sign-out this gateway refuses the account's older tokens at once."""
    exchange = Exchange()
    await execute(platform, newest(platform, "SignOut").body, exchange, {"input": KEY})
    assert exchange.revoked == [(VIEWER, 5)]


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_edit_sends_what_was_given(platform: str) -> None:
    """An edit carries null where null was given, and nothing where nothing was."""
    exchange = Exchange()
    variables = {"input": {**KEY, "bio": None}}
    await execute(platform, newest(platform, "EditProfile").body, exchange, variables)
    assert exchange.caller.calls == [("edit_profile", {"body": {"bio": None}, "key": "k1"})]


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_outcome_is_answered(platform: str) -> None:
    """A write answers state, time and revision, and what became of the record."""
    exchange = Exchange()
    variables = {"input": {**KEY, "itemId": "itm_1"}}
    result = await execute(
        platform,
        "mutation ($input: SaveItemInput!) "
        "{ saveItem(input: $input) { state updatedAt revision itemId saved } }",
        exchange,
        variables,
    )
    assert result.data is not None
    assert result.data["saveItem"] == {
        "state": "SAVED",
        "updatedAt": AT,
        "revision": 8,
        "itemId": "itm_1",
        "saved": True,
    }
    assert exchange.caller.calls == [("save", {"path": {"item_id": "itm_1"}, "key": "k1"})]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"upTo": "n1"}, {"up_to": "n1"}),
        ({"ids": ["n1"], "upTo": None}, {"ids": ["n1"]}),
        ({"ids": ["n1"], "upTo": "n2"}, None),
        ({"ids": []}, None),
        ({}, None),
    ],
)
async def test_mark_read_takes_one_way(
    platform: str, given: dict[str, Any], body: dict[str, Any] | None
) -> None:
    """Marking read takes ids or a last one, null counting as left out; else it is refused."""
    exchange = Exchange()
    variables = {"input": {**KEY, **given}}
    result = await execute(platform, newest(platform, "MarkRead").body, exchange, variables)
    if body is None:
        assert [e.original_error.code for e in result.errors or ()] == ["BAD_USER_INPUT"]  # type: ignore[union-attr]
        assert exchange.caller.calls == []
    else:
        assert exchange.caller.calls == [("mark_read", {"body": body, "key": "k1"})]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", ["SignOut", "MarkRead", "SaveItem", "UnsaveItem", "EditProfile"])
async def test_writes_need_a_viewer(platform: str, name: str) -> None:
    """Nobody who is not signed in writes anything."""
    exchange = Exchange(signed_in=False)
    variables = {"input": {**KEY, **inputs(platform)[name]}}
    result = await execute(platform, newest(platform, name).body, exchange, variables)
    assert [e.original_error.code for e in result.errors or ()] == ["UNAUTHENTICATED"]  # type: ignore[union-attr]
    assert exchange.caller.calls == []
