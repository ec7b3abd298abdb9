"""The accounts service as the gateway sees it: public cards, the viewer's profile, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bff.contract import Scope
from bff.upstreams.calls import Caller
from bff.upstreams.media import MediaRecord
from bff.upstreams.method import Answer, Method, Record

SERVICE = "accounts"


class AccountCardRecord(Record, frozen=True):
    """What anybody may see of an account: viewer, author and actor alike."""

    id: str
    handle: str
    display_name: str
    avatar: MediaRecord | None
    verified: bool
    follower_count: int


class AddressRecord(Record, frozen=True):
    id: str
    label: str
    line1: str
    line2: str | None
    city: str
    postcode: str
    country: str
    state: Literal["pending_verification", "verified", "rejected"]
    revision: int
    updated_at: str


class DeviceRecord(Record, frozen=True):
    id: str
    platform: str
    model: str
    name: str
    last_seen_at: str


class ProfileRecord(Record, frozen=True):
    """What only the account itself may see."""

    id: str
    handle: str
    display_name: str
    bio: str | None
    email: str
    phone: str | None
    locale: str
    avatar: MediaRecord | None
    verified: bool
    follower_count: int
    following_count: int
    joined_at: str
    revision: int
    updated_at: str
    addresses: list[AddressRecord]
    devices: list[DeviceRecord]


class CardsAnswer(Answer, frozen=True):
    cards: list[AccountCardRecord]


class SignInRecord(Record, frozen=True):
    state: str
    account_id: str
    session_id: str
    access_token: str
    expires_at: str
    updated_at: str
    revision: int


class SignOutRecord(Record, frozen=True):
    state: str
    epoch: int
    updated_at: str
    revision: int


class ProfileSavedRecord(Record, frozen=True):
    state: str
    profile: ProfileRecord
    updated_at: str
    revision: int


class AddressAddedRecord(Record, frozen=True):
    state: str
    address: AddressRecord
    updated_at: str
    revision: int


CARDS = Method(SERVICE, "cards", "POST", "/v1/cards/batch", Scope.SHARED, CardsAnswer)
PROFILE = Method(SERVICE, "profile", "GET", "/v1/profile", Scope.VIEWER, ProfileRecord)
SIGN_IN = Method(SERVICE, "sign_in", "POST", "/v1/sign-in", Scope.VIEWER, SignInRecord, effect=True)
SIGN_OUT = Method(
    SERVICE, "sign_out", "POST", "/v1/sign-out", Scope.VIEWER, SignOutRecord, effect=True
)
EDIT_PROFILE = Method(
    SERVICE, "edit_profile", "PATCH", "/v1/profile", Scope.VIEWER, ProfileSavedRecord, effect=True
)
ADD_ADDRESS = Method(
    SERVICE, "add_address", "POST", "/v1/addresses", Scope.VIEWER, AddressAddedRecord, effect=True
)


class Accounts:
    """Calls to accounts in one request."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def cards(self, ids: Sequence[str]) -> dict[str, AccountCardRecord]:
        """Public cards by account id; ids nobody has are left out."""
        answer = await self._caller.call(CARDS, body={"ids": ids}, keys=len(ids))
        return {card.id: card for card in answer.cards}

    async def profile(self) -> ProfileRecord:
        """The viewer's own profile."""
        return await self._caller.call(PROFILE)

    async def sign_in(
        self, handle: str, password: str, device: dict[str, Any], key: str
    ) -> SignInRecord:
        body = {"handle": handle, "password": password, "device": device}
        return await self._caller.call(SIGN_IN, body=body, idempotency_key=key)

    async def sign_out(self, key: str) -> SignOutRecord:
        """Ends every session of the viewer: the account's revocation epoch moves."""
        return await self._caller.call(SIGN_OUT, idempotency_key=key)

    async def edit_profile(self, changes: dict[str, Any], key: str) -> ProfileSavedRecord:
        """`changes` holds only what changes, and `expected_revision` if the app insists."""
        return await self._caller.call(EDIT_PROFILE, body=changes, idempotency_key=key)

    async def add_address(self, address: dict[str, Any], key: str) -> AddressAddedRecord:
        return await self._caller.call(ADD_ADDRESS, body=address, idempotency_key=key)
