"""Loaders over accounts, and the records and calls that schemas take from here."""

from __future__ import annotations

from collections.abc import Sequence

from bff.loaders.base import Loader
from bff.upstreams.accounts import (
    CARDS,
    PROFILE,
    AccountCardRecord,
    Accounts,
    AddressAddedRecord,
    AddressRecord,
    DeviceRecord,
    ProfileRecord,
    ProfileSavedRecord,
    SignInRecord,
    SignOutRecord,
)
from bff.upstreams.media import MediaRecord


class AccountCardByIdLoader(Loader[str, AccountCardRecord]):
    """Viewer, authors and actors alike: public cards only, one loader for all."""

    method = CARDS

    async def fetch(self, keys: Sequence[str]) -> list[AccountCardRecord | None]:
        cards = await Accounts(self.caller).cards(keys)
        return [cards.get(key) for key in keys]


class ProfileByViewerLoader(Loader[str, ProfileRecord]):
    """The viewer's own profile; the only key there is is the viewer's account id."""

    method = PROFILE

    async def fetch(self, keys: Sequence[str]) -> list[ProfileRecord | None]:
        profile = await Accounts(self.caller).profile()
        return [profile if key == profile.id else None for key in keys]


__all__ = [
    "AccountCardByIdLoader",
    "AccountCardRecord",
    "Accounts",
    "AddressAddedRecord",
    "AddressRecord",
    "DeviceRecord",
    "MediaRecord",
    "ProfileByViewerLoader",
    "ProfileRecord",
    "ProfileSavedRecord",
    "SignInRecord",
    "SignOutRecord",
]
