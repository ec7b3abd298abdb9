"""Signing in and out: passwords, tokens, sessions and the revocation epoch."""

import asyncio
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import func, select

from core_services.accounts import passwords
from core_services.accounts.seed import DEMO_PASSWORD
from core_services.accounts.tables import devices, sessions
from core_services.kit import times
from core_services.kit.app import open_database
from core_services.kit.tables import idempotency_keys
from core_services.kit.times import now, to_wire

from .conftest import Accounts

PHONE = {"platform": "ios", "model": "iPhone17,1", "name": "Ada's phone"}


async def sign_in(
    service: Accounts, handle: str, password: str = DEMO_PASSWORD, **more: Any
) -> httpx2.Response:
    """Sign in on a phone."""
    key = more.pop("key", None)
    body = {"handle": handle, "password": password, "device": PHONE} | more
    return await service.call("POST", "/v1/sign-in", key=key, json=body)


async def claims_of(service: Accounts, token: str) -> dict[str, Any]:
    """Verify an access token with the published keys, as the gateway does."""
    keys = KeySet.import_key_set((await service.client.get("/.well-known/jwks.json")).json())
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    return decoded.claims


async def test_sign_in_gives_token(service: Accounts) -> None:
    """The right password opens a session and gives a token that verifies with the JWKS."""
    response = await sign_in(service, "demo")
    body = response.json()
    assert (response.status_code, body["state"], body["account_id"]) == (
        200,
        "SIGNED_IN",
        "acc_00001",
    )
    claims = await claims_of(service, body["access_token"])
    assert claims["exp"] - claims["iat"] == 900
    assert (claims["iss"], claims["aud"]) == (service.settings.issuer, "facet")
    assert (claims["sub"], claims["sid"]) == ("acc_00001", body["session_id"])
    assert (claims["epoch"], claims["scope"]) == (0, "app")
    assert claims["device"].startswith("dev_")
    assert claims["jti"]


async def test_published_key_is_public(service: Accounts) -> None:
    """The JWKS shows no private part."""
    [key] = (await service.client.get("/.well-known/jwks.json")).json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}


async def test_wrong_password_and_handle_alike(service: Accounts) -> None:
    """Wrong password and unknown handle give the very same answer."""
    wrong = await sign_in(service, "reader00002", "not it")
    unknown = await sign_in(service, "nobody-here", "not it")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "INVALID_CREDENTIALS"


async def test_unknown_handle_costs_a_hash(
    service: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown handle runs one argon2 verification, as a wrong password does."""
    verified: list[str] = []
    real = passwords._matches

    def counting(password: str, stored: str) -> bool:
        verified.append(stored.rsplit("$", 2)[0])
        return real(password, stored)

    monkeypatch.setattr(passwords, "_matches", counting)
    await sign_in(service, "reader00002", "not it")
    await sign_in(service, "nobody-here", "not it")
    assert len(verified) == 2
    assert verified[0] == verified[1], "both hashes have the same parameters"


async def test_replay_mints_fresh_token(service: Accounts) -> None:
    """A repeat answers for the same session with another token, and opens no second session."""
    first = await sign_in(service, "reader00003", key="sign-in-3")
    second = await sign_in(service, "reader00003", key="sign-in-3")
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    one, two = first.json(), second.json()
    assert one["session_id"] == two["session_id"]
    assert one["revision"] == two["revision"]
    assert one["access_token"] != two["access_token"]
    claims = [await claims_of(service, body["access_token"]) for body in (one, two)]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert claims[0]["device"] == claims[1]["device"]
    assert await count(service, sessions, "acc_00003") == 1


async def test_replay_needs_the_password(service: Accounts) -> None:
    """A repeat with a wrong password gets nothing: neither the session nor word of the key."""
    await sign_in(service, "reader00004", key="sign-in-4")
    refused = await sign_in(service, "reader00004", "not it", key="sign-in-4")
    assert (refused.status_code, refused.json()["code"]) == (401, "INVALID_CREDENTIALS")


async def test_key_holds_one_handle(service: Accounts) -> None:
    """The same key for another account's sign-in is refused."""
    await sign_in(service, "reader00005", key="sign-in-5")
    refused = await sign_in(service, "reader00006", key="sign-in-5")
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_twenty_sign_ins_open_one_session(service: Accounts) -> None:
    """Twenty parallel sign-ins with one key open one session."""
    answers = await asyncio.gather(
        *(sign_in(service, "reader00007", key="sign-in-7") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert await count(service, sessions, "acc_00007") == 1


async def test_secrets_are_not_stored(service: Accounts) -> None:
    """Neither the token nor the password reaches the table of idempotency keys."""
    token = (await sign_in(service, "reader00008", key="sign-in-8")).json()["access_token"]
    database = open_database(service.settings)
    async with database.reader() as connection:
        stored = (await connection.execute(select(idempotency_keys))).all()
    await database.close()
    text = repr(stored)
    assert "sign-in-8" in text
    assert token not in text
    assert DEMO_PASSWORD not in text


async def test_known_device_is_seen_again(service: Accounts) -> None:
    """Signing in with a device id updates that device instead of adding one."""
    device = PHONE | {"id": "phone-9"}
    await sign_in(service, "reader00009", device=device)
    before = await count(service, devices, "acc_00009")
    await sign_in(service, "reader00009", device=device | {"name": "Renamed"})
    assert await count(service, devices, "acc_00009") == before
    shown = (await service.profile("acc_00009"))["devices"]
    assert [one["name"] for one in shown if one["id"] == "phone-9"] == ["Renamed"]


async def test_one_phone_serves_two_accounts(service: Accounts) -> None:
    """The same installation may sign in with two accounts, each with its own record of it."""
    device = PHONE | {"id": "shared-phone"}
    for handle in ("reader00010", "reader00011"):
        assert (await sign_in(service, handle, device=device)).status_code == 200
    for account_id in ("acc_00010", "acc_00011"):
        shown = (await service.profile(account_id))["devices"]
        assert "shared-phone" in {one["id"] for one in shown}


async def test_sign_out_moves_epoch(service: Accounts) -> None:
    """Signing out raises the epoch by one, once a key, and new tokens carry it."""
    first = await service.call("POST", "/v1/sign-out", viewer="acc_00012", key="out-12")
    again = await service.call("POST", "/v1/sign-out", viewer="acc_00012", key="out-12")
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["epoch"]) == ("SIGNED_OUT", 1)
    token = (await sign_in(service, "reader00012")).json()["access_token"]
    assert (await claims_of(service, token))["epoch"] == 1
    second = await service.call("POST", "/v1/sign-out", viewer="acc_00012")
    assert second.json()["epoch"] == 2
    assert second.json()["revision"] > first.json()["revision"]


async def test_revocations_list_moved_epochs(service: Accounts) -> None:
    """Revocations list every account whose epoch moved since then, and no other one."""
    signed_out = await service.call("POST", "/v1/sign-out", viewer="acc_00013")
    listed = (await service.call("GET", "/v1/revocations")).json()
    assert {"account_id": "acc_00013", "epoch": 1} in listed["revocations"]
    assert "acc_00014" not in {entry["account_id"] for entry in listed["revocations"]}
    assert listed["as_of"] >= signed_out.json()["updated_at"]
    repeated = await service.call("GET", "/v1/revocations", params={"since": listed["as_of"]})
    assert repeated.json()["as_of"] >= listed["as_of"]


async def test_revocations_keep_the_databases_time(
    service: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-out on a process whose clock is two minutes behind is found by who asks for all since
    a minute ago, and another process's wrong clock does not move `as_of`."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Wrong":
            return cls.fromtimestamp(time.time() - 120, tz)

    a_minute_ago = to_wire(now() - timedelta(minutes=1))
    monkeypatch.setattr(times, "datetime", Wrong)
    assert now() < datetime.now(UTC) - timedelta(seconds=100), "VOID: the clock is right"
    await service.call("POST", "/v1/sign-out", viewer="acc_00016")
    listed = await service.call("GET", "/v1/revocations", params={"since": a_minute_ago})
    assert "acc_00016" in {entry["account_id"] for entry in listed.json()["revocations"]}
    assert listed.json()["as_of"] > a_minute_ago


async def test_later_since_lists_nothing(service: Accounts) -> None:
    """Epochs that moved before `since` are left out."""
    await service.call("POST", "/v1/sign-out", viewer="acc_00015")
    later = to_wire(now() + timedelta(minutes=1))
    listed = (await service.call("GET", "/v1/revocations", params={"since": later})).json()
    assert listed["revocations"] == []


@pytest.mark.parametrize(
    "since", ["yesterday", "1700000000", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", ""]
)
async def test_wrong_since_is_refused(service: Accounts, since: str) -> None:
    """A `since` that is no RFC 3339 time with a zone is 422 and named."""
    refused = await service.call("GET", "/v1/revocations", params={"since": since})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "since")


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
async def test_extreme_since_is_no_defect(service: Accounts, since: str) -> None:
    """The ends of the calendar are answered or refused, never a server error."""
    response = await service.call("GET", "/v1/revocations", params={"since": since})
    assert response.status_code in (200, 422)


async def test_unknown_account_cannot_sign_out(service: Accounts) -> None:
    """A viewer without an account is NOT_FOUND and leaves no counter behind."""
    for _ in range(2):
        refused = await service.call("POST", "/v1/sign-out", viewer="acc_99999", key="out-x")
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")


async def count(service: Accounts, table: Any, account_id: str) -> int:
    """Count an account's rows in a table."""
    database = open_database(service.settings)
    async with database.reader() as connection:
        mine = select(func.count()).select_from(table).where(table.c.account_id == account_id)
        found = (await connection.execute(mine)).scalar_one()
    await database.close()
    return int(found)
