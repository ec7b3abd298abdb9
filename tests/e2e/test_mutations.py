"""Writes on every platform: state, time and revision come back, and a repeated key repeats only
the answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from bff.commands.development import DEMO_PASSWORD
from tests.harness.stack import PLATFORMS, Stack, registered

Mutate = Callable[..., Awaitable[dict[str, Any]]]
DEVICES = {
    "ios": {"deviceModel": "iPhone17,1", "deviceName": "e2e"},
    "android": {"deviceManufacturer": "Google", "deviceModel": "Pixel 10", "deviceName": "e2e"},
    "web": {"browser": "Firefox 146", "operatingSystem": "Debian"},
}
# Accounts the read-only tests never look at, one a platform.
WRITERS = {"ios": "acc_01001", "android": "acc_01002", "web": "acc_01003"}


@pytest.fixture(params=PLATFORMS)
async def writer(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Mutate]:
    """Runs one registered mutation as a platform's own writer; gives the whole body."""
    platform: str = request.param
    token = stack.token(stack.handle(WRITERS[platform]))
    settings = stack.settings(platform)
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:

        async def mutate(name: str, key: str | None = None, **values: Any) -> dict[str, Any]:
            variables = {"input": {"idempotencyKey": key or uuid.uuid4().hex, **values}}
            answer = await client.post(
                "/graphql",
                json={
                    "documentId": registered(settings, platform, name).id,
                    "variables": variables,
                },
                headers={"authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 200, answer.text
            body: dict[str, Any] = answer.json()
            return body

        yield mutate


def _result(body: dict[str, Any], name: str) -> dict[str, Any]:
    assert "errors" not in body, body["errors"]
    result: dict[str, Any] = body["data"][name]
    assert result["updatedAt"].endswith("Z")
    assert result["revision"] >= 1
    return result


def _code(body: dict[str, Any]) -> str:
    code: str = body["errors"][0]["extensions"]["code"]
    return code


async def test_save_and_unsave_an_item(writer: Mutate) -> None:
    """Saving and unsaving answer the state reached, with a rising revision."""
    saved = _result(await writer("SaveItem", itemId="itm_00100"), "saveItem")
    unsaved = _result(await writer("UnsaveItem", itemId="itm_00100"), "unsaveItem")
    assert (saved["state"], saved["saved"]) == ("SAVED", True)
    assert (unsaved["state"], unsaved["saved"]) == ("UNSAVED", False)
    assert unsaved["revision"] > saved["revision"]


async def test_repeated_key_repeats_the_answer(writer: Mutate) -> None:
    """The same key and input again give the very same answer, though the state has moved on."""
    key = uuid.uuid4().hex
    first = await writer("SaveItem", key, itemId="itm_00101")
    await writer("UnsaveItem", itemId="itm_00101")
    again = await writer("SaveItem", key, itemId="itm_00101")
    assert again["data"] == first["data"]


async def test_key_of_another_input_is_refused(writer: Mutate) -> None:
    """A key that was used for one item is refused for another."""
    key = uuid.uuid4().hex
    await writer("SaveItem", key, itemId="itm_00102")
    other = await writer("SaveItem", key, itemId="itm_00103")
    assert _code(other) == "IDEMPOTENCY_KEY_REUSED"
    assert other["data"]["saveItem"] is None


async def test_parallel_same_key_has_one_effect(writer: Mutate) -> None:
    """Twenty addresses sent at once under one key are one address, and all get its answer."""
    key = uuid.uuid4().hex
    address = {"label": key, "line1": "1 Pier", "city": "Berlin", "postcode": "1", "country": "DE"}
    bodies = await asyncio.gather(*(writer("AddAddress", key, **address) for _ in range(20)))
    found = {_result(body, "addAddress")["address"]["id"] for body in bodies}
    assert len(found) == 1


async def test_unknown_item_is_not_found(writer: Mutate) -> None:
    """Saving what does not exist is NOT_FOUND at the mutation's path."""
    body = await writer("SaveItem", itemId="itm_99999")
    assert _code(body) == "NOT_FOUND"
    assert body["errors"][0]["path"] == ["saveItem"]


async def test_profile_keeps_what_is_left_out(writer: Mutate) -> None:
    """Only given fields change; null clears; a stale revision is a CONFLICT."""
    first = _result(await writer("EditProfile", bio="Hello", locale="de-DE"), "editProfile")
    second = _result(await writer("EditProfile", bio=None), "editProfile")
    assert first["profile"]["bio"] == "Hello"
    assert (second["profile"]["bio"], second["profile"]["locale"]) == (None, "de-DE")
    stale = first["profile"]["revision"]
    assert _code(await writer("EditProfile", bio="x", expectedRevision=stale)) == "CONFLICT"


async def test_bad_input_names_the_field(writer: Mutate) -> None:
    """What the service refuses comes back as BAD_USER_INPUT with the field at fault."""
    body = await writer(
        "AddAddress", label="x", line1="1 Pier", city="B", postcode="1", country="Germany"
    )
    assert _code(body) == "BAD_USER_INPUT"
    assert "country" in str(body["errors"][0]["extensions"]["fields"])


async def test_mark_read_lowers_the_badge(stack: Stack, writer: Mutate) -> None:
    """Everything up to the newest is read: the badge is zero, and foreign ids change nothing."""
    foreign = await writer("MarkRead", ids=[_newest(stack, "acc_00001")])
    assert _code(foreign) == "NOT_FOUND"
    both = await writer("MarkRead", ids=["ntf_000001"], upTo="ntf_000001")
    assert _code(both) == "BAD_USER_INPUT"


def _newest(stack: Stack, account_id: str) -> str:
    found: str = stack.query(
        "notifications",
        "select id from notifications where account_id = ? order by created_at desc limit 1",
        account_id,
    )
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_mark_all_read(stack: Stack, platform: str) -> None:
    """`upTo` the newest notification brings the badge to zero."""
    account = {"ios": "acc_00011", "android": "acc_00012", "web": "acc_00013"}[platform]
    token = stack.token(stack.handle(account))
    settings = stack.settings(platform)
    document = registered(settings, platform, "MarkRead").id
    values = {"idempotencyKey": uuid.uuid4().hex, "upTo": _newest(stack, account)}
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        answer = await client.post(
            "/graphql",
            json={"documentId": document, "variables": {"input": values}},
            headers={"authorization": f"Bearer {token}"},
        )
    result = _result(answer.json(), "markRead")
    assert (result["state"], result["unread"]) == ("READ", 0)


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_sign_in_with_a_dead_token(stack: Stack, platform: str) -> None:
    """An app whose stored token is dead can sign in again, and with the new token see home."""
    settings = stack.settings(platform)
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        signed_in = await _sign_in(client, stack, platform, "demo", DEMO_PASSWORD)
        result = _result(signed_in, "signIn")
        home = await client.post(
            "/graphql",
            json={"documentId": registered(settings, platform, "Home").id},
            headers={"authorization": f"Bearer {result['accessToken']}"},
        )
    assert result["state"] == "SIGNED_IN"
    assert home.json()["data"]["home"]["viewer"]["displayName"] == "Demo Reader"


async def _sign_in(
    client: httpx2.AsyncClient, stack: Stack, platform: str, handle: str, password: str
) -> dict[str, Any]:
    document = registered(stack.settings(platform), platform, "SignIn").id
    values = {"idempotencyKey": uuid.uuid4().hex, "handle": handle, "password": password}
    values |= DEVICES[platform]
    answer = await client.post(
        "/graphql",
        json={"documentId": document, "variables": {"input": values}},
        headers={"authorization": "Bearer dead.token.here"},
    )
    body: dict[str, Any] = answer.json()
    return body


async def test_wrong_password_tells_nothing(stack: Stack) -> None:
    """A wrong password and an unknown handle get the same answer."""
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        wrong = await _sign_in(client, stack, "ios", "demo", "not-it")
        unknown = await _sign_in(client, stack, "ios", "nobody-has-this", "not-it")
    assert _code(wrong) == "BAD_USER_INPUT"
    assert wrong["errors"] == unknown["errors"]


async def test_sign_out_ends_every_session(stack: Stack) -> None:
    """After sign-out the token is refused at once here, and soon by the other platforms."""
    token = stack.token(stack.handle("acc_01010"))
    headers = {"authorization": f"Bearer {token}"}
    document = registered(stack.settings("ios"), "ios", "SignOut").id
    values = {"input": {"idempotencyKey": uuid.uuid4().hex}}
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        before = await _viewer_code(client, headers)
        done = await client.post(
            "/graphql", json={"documentId": document, "variables": values}, headers=headers
        )
        after = await _viewer_code(client, headers)
    assert _result(done.json(), "signOut")["state"] == "SIGNED_OUT"
    assert (before, after) == (None, "UNAUTHENTICATED")
    async with (
        asyncio.timeout(30),
        httpx2.AsyncClient(base_url=stack.url("web"), timeout=30) as client,
    ):
        while await _viewer_code(client, headers) is None:
            await asyncio.sleep(0.1)
        assert await _viewer_code(client, headers) == "UNAUTHENTICATED"
    fresh = {"authorization": f"Bearer {stack.token(stack.handle('acc_01010'))}"}
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        assert await _viewer_code(client, fresh) is None


async def _viewer_code(client: httpx2.AsyncClient, headers: dict[str, str]) -> str | None:
    body = {"query": "{ home { viewer { handle } } }"}
    answer = (await client.post("/graphql", json=body, headers=headers)).json()
    return _code(answer) if "errors" in answer else None
