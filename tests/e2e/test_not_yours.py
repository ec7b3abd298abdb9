"""What is another account's does not exist: one case for each kind of record, through a gateway,
with two real accounts (OWASP API1, broken object level authorization).

Ada owns things, Bob asks for them by every id and cursor that she could lose.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.harness.stack import Stack

# Not executed by plans: `make verify` asks in both modes, `make test` in one.
pytestmark = pytest.mark.modeless

ADA, BOB = "acc_00006", "acc_00005"  # both with a long past
NOWHERE = "ntf_nowhere"
ADDRESS = {"line1": "1 Pier", "city": "Berlin", "postcode": "1", "country": "DE"}
PROFILE = """query Mine($after: String) { profile {
  account { id email phone addresses { id label } devices { id name } }
  saved(first: 5, after: $after) { total endCursor hasMore
    entries { savedAt item { ... on Item { id } } } } } }"""
INBOX = """query In($after: String) { inbox { page(first: 5, after: $after) {
  unread endCursor hasMore notifications { id text } } } }"""
STATE = """query State($id: ID!) { content(id: $id) { viewerState {
  saved savedAt progress { fraction updatedAt } } } }"""


@dataclass
class Person:
    """An account at a gateway."""

    account: str
    gateway: httpx2.AsyncClient
    token: str
    stack: Stack

    async def ask(self, text: str, **variables: Any) -> dict[str, Any]:
        """The whole body of one operation."""
        answer = await self.gateway.post(
            "/graphql",
            json={"query": text, "variables": variables},
            headers={"authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def do(self, mutation: str, kind: str, gives: str, **values: Any) -> dict[str, Any]:
        """The whole body of one mutation with a new key, unless one is given."""
        given = {"idempotencyKey": uuid.uuid4().hex, **values}
        text = f"mutation Do($input: {kind}!) {{ {mutation}(input: $input) {{ {gives} }} }}"
        return await self.ask(text, input=given)

    async def profile(self, after: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask(PROFILE, after=after))["data"]["profile"]
        return found

    def own(self, service: str, statement: str) -> set[str]:
        """What the service's database holds for this account."""
        with closing(sqlite3.connect(self.stack.where.data / f"{service}.db")) as connection:
            return {row[0] for row in connection.execute(statement, (self.account,))}


@dataclass
class Two:
    ada: Person
    bob: Person


@pytest_asyncio.fixture(scope="module")
async def two(stack: Stack) -> AsyncIterator[Two]:
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as gateway:
        yield Two(
            *(Person(who, gateway, stack.token(stack.handle(who)), stack) for who in (ADA, BOB))
        )


SAVED = "select item_id from saved where account_id = ? and saved_at is not null"
NOTIFIED = "select id from notifications where account_id = ?"


async def test_profile_and_addresses(two: Two) -> None:
    """Bob's profile holds nothing of Ada's, and she has all of hers."""
    label = f"secret {uuid.uuid4().hex}"
    made = await two.ada.do(
        "addAddress", "AddAddressInput", "address { id }", label=label, **ADDRESS
    )
    id_ = made["data"]["addAddress"]["address"]["id"]
    hers, his = await two.ada.profile(), json.dumps(await two.bob.profile())
    assert label in json.dumps(hers)
    for secret in (label, id_, hers["account"]["email"], ADA):
        assert secret not in his


async def test_devices(two: Two) -> None:
    """A device id of Ada's is, for Bob, an id of his own: her device keeps its name, and he sees
    none of hers."""
    mine = (await two.ada.profile())["account"]["devices"]
    his = {one["id"] for one in (await two.bob.profile())["account"]["devices"]}
    assert mine, "VOID: she has no device"
    assert not his & {one["id"] for one in mine}
    values = {
        "handle": two.bob.stack.handle(BOB),
        "password": "facet-demo",
        "deviceId": mine[0]["id"],
        "deviceModel": "iPhone17,1",
        "deviceName": "Bob's",
    }
    taken = await two.bob.do("signIn", "SignInInput", "accessToken", **values)
    assert "errors" not in taken, taken
    now = (await two.ada.profile())["account"]["devices"]
    assert [(one["id"], one["name"]) for one in now] == [(one["id"], one["name"]) for one in mine]


async def test_saved_items(two: Two) -> None:
    """What Ada saved is not saved for Bob, and her place in her list shows him only his own."""
    hers, his = two.ada.own("content", SAVED), two.bob.own("content", SAVED)
    only_hers = min(hers - his)
    state = await two.bob.ask(STATE, id=only_hers)
    assert state["data"]["content"]["viewerState"]["saved"] is False
    cursor = (await two.ada.profile())["saved"]["endCursor"]
    assert cursor is not None, "VOID: her list has one page"
    page = (await two.bob.profile(cursor))["saved"]
    assert {one["item"]["id"] for one in page["entries"]} <= his
    assert page["total"] == len(his)


async def test_progress(two: Two) -> None:
    """How far Ada read is nothing that Bob sees: where she has progress and he has none, he has
    the very answer of an item nobody opened."""
    progress = "select item_id from progress where account_id = ? and fraction > 0"
    hers, his = two.ada.own("content", progress), two.bob.own("content", progress)
    touched = hers | his | two.ada.own("content", SAVED) | two.bob.own("content", SAVED)
    saved_by_him = two.bob.own("content", "select item_id from saved where account_id = ?")
    only_hers = min(hers - his - saved_by_him)
    items = two.bob.own("content", "select id from items where author_id <> ?")
    untouched = min(items - touched)
    answers = [(await two.bob.ask(STATE, id=one))["data"] for one in (only_hers, untouched)]
    assert answers[0] == answers[1]
    own = (await two.ada.ask(STATE, id=only_hers))["data"]
    assert own != answers[0], "VOID: she has no progress there"


@pytest.mark.parametrize("how", ["ids", "upTo"])
async def test_notifications(two: Two, how: str) -> None:
    """Marking Ada's notification read is, for Bob, marking one that does not exist: the same
    answer, and hers stays as it was; nor does her id among his own pass."""
    hers, his = min(two.ada.own("notifications", NOTIFIED)), two.bob.own("notifications", NOTIFIED)
    unread = "select id from notifications where account_id = ? and read_at is null"
    before = (two.ada.own("notifications", unread), two.bob.own("notifications", unread))
    answers = []
    for foreign in (hers, NOWHERE):
        values: list[dict[str, Any]] = [{"upTo": foreign}]
        if how == "ids":
            values = [{"ids": [foreign]}, {"ids": [*sorted(his)[:2], foreign]}]
        for one in values:
            answers.append(await two.bob.do("markRead", "MarkReadInput", "readIds unread", **one))
    half = len(answers) // 2
    assert [_told(one) for one in answers[:half]] == [_told(one) for one in answers[half:]]
    assert {one["errors"][0]["extensions"]["code"] for one in answers} == {"NOT_FOUND"}
    after = (two.ada.own("notifications", unread), two.bob.own("notifications", unread))
    assert after == before


def _told(body: dict[str, Any]) -> str:
    """What an app is told, without what differs between any two answers."""
    return json.dumps([body.get("data"), body.get("errors")], sort_keys=True)


async def test_inbox_cursor(two: Two) -> None:
    """Ada's place in her inbox shows Bob only his own."""
    page = (await two.ada.ask(INBOX))["data"]["inbox"]["page"]
    assert page["endCursor"] is not None, "VOID: her inbox has one page"
    seen = await two.bob.ask(INBOX, after=page["endCursor"])
    found = {one["id"] for one in seen["data"]["inbox"]["page"]["notifications"]}
    assert found <= two.bob.own("notifications", NOTIFIED)
    assert not found & two.ada.own("notifications", NOTIFIED)


async def test_idempotency_key(two: Two) -> None:
    """A key of Ada's is new for Bob: he gets an answer of his own, and nothing of hers."""
    key = uuid.uuid4().hex
    made = [
        await one.do("addAddress", "AddAddressInput", "address { id label }", **values)
        for one, values in (
            (two.ada, {"idempotencyKey": key, "label": "hers", **ADDRESS}),
            (two.bob, {"idempotencyKey": key, "label": "his", **ADDRESS}),
        )
    ]
    [hers, his] = [one["data"]["addAddress"]["address"] for one in made]
    assert (hers["label"], his["label"]) == ("hers", "his")
    assert hers["id"] != his["id"]


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZQ", "WyJpbmJveCIsMSwiYSJd" * 30])
async def test_made_up_cursor_is_refused(two: Two, cursor: str) -> None:
    """A cursor that is none is refused with a code, and tells nothing."""
    body = await two.bob.ask(INBOX, after=cursor)
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert body["data"]["inbox"]["page"] is None
