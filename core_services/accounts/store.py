"""The queries of accounts; statements are built once, rows leave as JSON-ready dicts."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, bindparam, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.accounts.tables import accounts, addresses, devices, sessions
from core_services.kit.clock import utc_now
from core_services.kit.database import among
from core_services.kit.times import now, to_wire, whole_milliseconds

MOST_DEVICES_SHOWN = 50

_account = accounts.c
_mine: ColumnElement[bool] = _account.id == bindparam("account_id")

_CARDS = select(
    _account.id,
    _account.handle,
    _account.display_name,
    _account.avatar,
    _account.verified,
    _account.follower_count,
).where(among(_account.id, "ids"))

_CREDENTIALS = select(_account.id, _account.password_hash, _account.revocation_epoch).where(
    _account.handle == bindparam("handle")
)
_REVOCATIONS = select(_account.id, _account.revocation_epoch).where(
    _account.epoch_moved_at >= bindparam("since")
)
_PROFILE = select(accounts).where(_mine)
_ADDRESSES = (
    select(addresses)
    .where(addresses.c.account_id == bindparam("account_id"))
    .order_by(addresses.c.id)
)
_DEVICES = (
    select(devices)
    .where(devices.c.account_id == bindparam("account_id"))
    .order_by(devices.c.last_seen_at.desc(), devices.c.id.desc())
    .limit(MOST_DEVICES_SHOWN)
)
_REVISION = select(_account.revision).where(_mine)
_MOVE_EPOCH = (
    update(accounts)
    .where(_mine)
    .values(revocation_epoch=_account.revocation_epoch + 1, epoch_moved_at=utc_now())
    .returning(_account.revocation_epoch, _account.epoch_moved_at)
)
_COUNT_ADDRESSES = (
    select(func.count())
    .select_from(addresses)
    .where(addresses.c.account_id == bindparam("account_id"))
)
# Both databases know this upsert.
_SEE_DEVICE = text(
    "INSERT INTO devices (account_id, id, platform, model, name, last_seen_at, created_at)"
    " VALUES (:account_id, :id, :platform, :model, :name, :seen_at, :seen_at)"
    " ON CONFLICT (account_id, id) DO UPDATE SET platform = excluded.platform,"
    " model = excluded.model, name = excluded.name, last_seen_at = excluded.last_seen_at"
).bindparams(bindparam("seen_at", type_=devices.c.last_seen_at.type))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What sign-in needs of an account."""

    account_id: str
    password_hash: str
    epoch: int


async def find_cards(connection: AsyncConnection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the public cards of the accounts that exist, in the order of `ids`."""
    rows = {row[0]: row for row in await connection.execute(_CARDS, {"ids": ids})}
    return [
        {
            "id": row[0],
            "handle": row[1],
            "display_name": row[2],
            "avatar": _media(row[3]),
            "verified": row[4],
            "follower_count": row[5],
        }
        for row in map(rows.get, ids)
        if row is not None
    ]


async def find_credentials(connection: AsyncConnection, handle: str) -> Credentials | None:
    """Return the credentials of the account with this handle."""
    row = (await connection.execute(_CREDENTIALS, {"handle": handle})).first()
    return Credentials(*row) if row else None


async def find_revocations(connection: AsyncConnection, since: datetime) -> list[dict[str, Any]]:
    """Return account and epoch of every account whose epoch moved at or after `since`."""
    rows = await connection.execute(_REVOCATIONS, {"since": since})
    return [{"account_id": row[0], "epoch": row[1]} for row in rows]


async def find_profile(connection: AsyncConnection, account_id: str) -> dict[str, Any] | None:
    """Return the viewer's whole profile; use a snapshot or a writer, it reads three tables."""
    mine = {"account_id": account_id}
    account = (await connection.execute(_PROFILE, mine)).first()
    if account is None:
        return None
    found_addresses = (await connection.execute(_ADDRESSES, mine)).all()
    found_devices = (await connection.execute(_DEVICES, mine)).all()
    return {
        "id": account.id,
        "handle": account.handle,
        "display_name": account.display_name,
        "bio": account.bio,
        "email": account.email,
        "phone": account.phone,
        "locale": account.locale,
        "avatar": _media(account.avatar),
        "verified": account.verified,
        "follower_count": account.follower_count,
        "following_count": account.following_count,
        "joined_at": to_wire(account.joined_at),
        "revision": account.revision,
        "updated_at": to_wire(account.updated_at),
        "addresses": [_address(row) for row in found_addresses],
        "devices": [_device(row) for row in found_devices],
    }


async def find_revision(connection: AsyncConnection, account_id: str) -> int | None:
    """Return the revision of the viewer's profile, None without such an account."""
    found = (await connection.execute(_REVISION, {"account_id": account_id})).scalar_one_or_none()
    return None if found is None else int(found)


async def change_profile(
    connection: AsyncConnection,
    account_id: str,
    changes: Mapping[str, Any],
    revision: int,
    at: datetime,
) -> None:
    """Write the changed columns with the revision and time of this write."""
    await connection.execute(
        update(accounts)
        .where(_account.id == account_id)
        .values(**changes, revision=revision, updated_at=at)
    )


async def move_epoch(connection: AsyncConnection, account_id: str) -> tuple[int, datetime] | None:
    """Raise the revocation epoch by one; return it with its time, None without such an account."""
    moved = (await connection.execute(_MOVE_EPOCH, {"account_id": account_id})).one_or_none()
    return None if moved is None else (int(moved[0]), whole_milliseconds(moved[1]))


async def count_addresses(connection: AsyncConnection, account_id: str) -> int:
    """Return how many addresses the account has."""
    return int(
        (await connection.execute(_COUNT_ADDRESSES, {"account_id": account_id})).scalar_one()
    )


async def add_address(
    connection: AsyncConnection, account_id: str, given: Mapping[str, Any], revision: int
) -> dict[str, Any]:
    """Store a new address and return it as it goes out."""
    row = {
        "id": f"adr_{secrets.token_hex(8)}",
        **given,
        "state": "pending_verification",
        "revision": revision,
        "updated_at": now(),
    }
    await connection.execute(insert(addresses), {"account_id": account_id, **row})
    return {**row, "updated_at": to_wire(row["updated_at"])}


async def open_session(
    connection: AsyncConnection, account_id: str, device: Mapping[str, Any], at: datetime
) -> tuple[str, str]:
    """Note the device as seen and store a session on it; return session id and device id."""
    device_id = device.get("id") or f"dev_{secrets.token_hex(8)}"
    seen = {**device, "id": device_id, "account_id": account_id, "seen_at": at}
    await connection.execute(_SEE_DEVICE, seen)
    session_id = f"ses_{secrets.token_hex(12)}"
    session = {
        "id": session_id,
        "account_id": account_id,
        "device_id": device_id,
        "created_at": at,
    }
    await connection.execute(insert(sessions), session)
    return session_id, device_id


def _media(stored: str | None) -> orjson.Fragment | None:
    return None if stored is None else orjson.Fragment(stored)


def _address(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "label": row.label,
        "line1": row.line1,
        "line2": row.line2,
        "city": row.city,
        "postcode": row.postcode,
        "country": row.country,
        "state": row.state,
        "revision": row.revision,
        "updated_at": to_wire(row.updated_at),
    }


def _device(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "platform": row.platform,
        "model": row.model,
        "name": row.name,
        "last_seen_at": to_wire(row.last_seen_at),
        "created_at": to_wire(row.created_at),
    }
