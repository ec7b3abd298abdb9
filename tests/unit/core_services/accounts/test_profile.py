"""Cards, profiles and addresses."""

import asyncio
from typing import Any

import pytest

from core_services.accounts.routes import MOST_ADDRESSES

from .conftest import Accounts

HOME = {
    "label": "Home",
    "line1": "1 Example Street",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
}


async def test_cards_keep_request_order(service: Accounts) -> None:
    """Cards come in request order, each once, and what does not exist is left out."""
    ids = ["acc_00003", "nobody", "acc_00001", "acc_00003", "acc_00002"]
    cards = (await service.call("POST", "/v1/cards/batch", json={"ids": ids})).json()["cards"]
    assert [card["id"] for card in cards] == ["acc_00003", "acc_00001", "acc_00002"]


async def test_cards_show_public_data(service: Accounts) -> None:
    """A card holds exactly the public fields, with the avatar as an object."""
    response = await service.call("POST", "/v1/cards/batch", json={"ids": ["acc_00001"]})
    [card] = response.json()["cards"]
    assert card.keys() == {
        "id",
        "handle",
        "display_name",
        "avatar",
        "verified",
        "follower_count",
    }
    assert (card["handle"], card["verified"]) == ("demo", True)
    assert card["avatar"].keys() == {"key", "width", "height", "blur_hash", "alt"}


async def test_two_hundred_cards_at_once(service: Accounts) -> None:
    """The largest batch answers whole."""
    ids = [f"acc_{number:05d}" for number in range(1, 201)]
    cards = (await service.call("POST", "/v1/cards/batch", json={"ids": ids})).json()["cards"]
    assert [card["id"] for card in cards] == ids


async def test_profile_is_the_viewers(service: Accounts) -> None:
    """The profile is the viewer's own, with addresses, devices and times in RFC 3339."""
    profile = await service.profile("acc_00001")
    assert (profile["id"], profile["handle"]) == ("acc_00001", "demo")
    assert profile["email"] == "demo@example.com"
    assert profile["joined_at"].endswith("Z")
    assert len(profile["addresses"]) == 2
    assert len(profile["devices"]) >= 2
    seen = [device["last_seen_at"] for device in profile["devices"]]
    assert seen == sorted(seen, reverse=True)


async def test_unknown_viewer_has_no_profile(service: Accounts) -> None:
    """A vouched viewer without an account is NOT_FOUND."""
    response = await service.call("GET", "/v1/profile", viewer="acc_99999")
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


async def test_change_touches_given_fields(service: Accounts) -> None:
    """Only the fields sent change; the revision rises and is the profile's."""
    before = await service.profile("acc_00021")
    response = await service.call(
        "PATCH", "/v1/profile", viewer="acc_00021", json={"display_name": "Ada 🦊", "bio": None}
    )
    body = response.json()
    assert (response.status_code, body["state"]) == (200, "SAVED")
    after = await service.profile("acc_00021")
    assert body["profile"] == after
    assert (after["display_name"], after["bio"]) == ("Ada 🦊", None)
    assert after["locale"] == before["locale"]
    assert before["revision"] < after["revision"] == body["revision"]
    assert after["updated_at"] == body["updated_at"]


async def test_change_is_repeat_safe(service: Accounts) -> None:
    """A repeat replays the saved profile; the same key with another change is refused."""
    change = {"bio": "Once."}
    sent = {"viewer": "acc_00022", "key": "bio-22"}
    first = await service.call("PATCH", "/v1/profile", json=change, **sent)
    second = await service.call("PATCH", "/v1/profile", json=change, **sent)
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    refused = await service.call("PATCH", "/v1/profile", json={"bio": "Twice."}, **sent)
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await service.profile("acc_00022"))["bio"] == "Once."


async def test_null_is_not_absent(service: Accounts) -> None:
    """With one key, removing the bio and leaving it alone are two different inputs."""
    sent = {"viewer": "acc_00023", "key": "null-23"}
    await service.call("PATCH", "/v1/profile", json={"locale": "de-DE"}, **sent)
    other = {"locale": "de-DE", "bio": None}
    refused = await service.call("PATCH", "/v1/profile", json=other, **sent)
    assert refused.json()["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_stale_revision_conflicts(service: Accounts) -> None:
    """A change made on an older revision is refused and changes nothing."""
    known = (await service.profile("acc_00024"))["revision"]
    change = {"bio": "First.", "expected_revision": known}
    saved = await service.call("PATCH", "/v1/profile", viewer="acc_00024", json=change)
    assert saved.status_code == 200
    stale = await service.call(
        "PATCH", "/v1/profile", viewer="acc_00024", json=change | {"bio": "Second."}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "CONFLICT")
    assert (await service.profile("acc_00024"))["bio"] == "First."


@pytest.mark.parametrize(("written", "status"), [("{}.0", 200), ("{}.5", 422), ('"{}"', 422)])
async def test_whole_number_is_integer(service: Accounts, written: str, status: int) -> None:
    """A revision written as 3.0 is the integer 3; a fraction or a text is refused."""
    known = (await service.profile("acc_00031"))["revision"]
    content = f'{{"expected_revision": {written.format(known)}}}'
    headers = service.caller.headers("accounts", "acc_00031", f"whole-{written}-{known}")
    response = await service.client.patch(
        "/v1/profile", content=content, headers=headers | {"content-type": "application/json"}
    )
    assert response.status_code == status


async def test_one_of_parallel_changes_wins(service: Accounts) -> None:
    """Of ten changes on the same revision exactly one is saved."""
    known = (await service.profile("acc_00025"))["revision"]
    answers = await asyncio.gather(
        *(
            service.call(
                "PATCH",
                "/v1/profile",
                viewer="acc_00025",
                json={"bio": f"Change {number}.", "expected_revision": known},
            )
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


@pytest.mark.parametrize(
    "change",
    [
        {"display_name": ""},
        {"display_name": None},
        {"display_name": "x" * 81},
        {"display_name": "nul\0"},
        {"bio": "x" * 501},
        {"locale": "english"},
        {"locale": None},
        {"expected_revision": -1},
        {"expected_revision": 2**63},
        {"expected_revision": "1"},
        {"email": "a@example.com"},
        {"verified": True},
    ],
)
async def test_wrong_change_is_refused(service: Accounts, change: dict[str, Any]) -> None:
    """Values outside the contract, and fields nobody may set, are 422."""
    refused = await service.call("PATCH", "/v1/profile", viewer="acc_00026", json=change)
    assert (refused.status_code, refused.json()["code"]) == (422, "BAD_INPUT")
    assert refused.json()["errors"][0]["field"] == next(iter(change))


async def test_address_waits_for_verification(service: Accounts) -> None:
    """A new address is stored as pending and shows in the profile."""
    response = await service.call("POST", "/v1/addresses", viewer="acc_00027", json=HOME)
    body = response.json()
    assert (response.status_code, body["state"]) == (201, "pending_verification")
    assert body["address"]["state"] == "pending_verification"
    assert body["address"]["line2"] is None
    assert body["revision"] == body["address"]["revision"]
    assert body["address"] in (await service.profile("acc_00027"))["addresses"]


async def test_twenty_adds_make_one_address(service: Accounts) -> None:
    """Twenty parallel adds with one key store one address and give one answer."""
    before = len((await service.profile("acc_00028"))["addresses"])
    answers = await asyncio.gather(
        *(
            service.call("POST", "/v1/addresses", viewer="acc_00028", key="home-28", json=HOME)
            for _ in range(20)
        )
    )
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert len((await service.profile("acc_00028"))["addresses"]) == before + 1


async def test_addresses_are_limited(service: Accounts) -> None:
    """The twenty-first address is refused, also when the adds come at once."""
    answers = await asyncio.gather(
        *(
            service.call("POST", "/v1/addresses", viewer="acc_00029", json=HOME)
            for _ in range(MOST_ADDRESSES + 3)
        )
    )
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) == {"TOO_MANY_ADDRESSES"}
    assert len((await service.profile("acc_00029"))["addresses"]) == MOST_ADDRESSES


@pytest.mark.parametrize("country", ["XX", "de", "DEU", "D", ""])
async def test_unassigned_country_is_refused(service: Accounts, country: str) -> None:
    """Only assigned ISO 3166-1 codes are taken."""
    refused = await service.call(
        "POST", "/v1/addresses", viewer="acc_00030", json=HOME | {"country": country}
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "country")
