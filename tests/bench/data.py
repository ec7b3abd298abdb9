"""What the stub services know: a slice of the product's demonstration data, as wire dictionaries.

The same on every machine. Nothing here knows HTTP; `stubs.py` encodes it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from core_services.accounts import seed as accounts_seed
from core_services.content import seed as content_seed
from core_services.content import wire
from core_services.kit.times import to_wire
from core_services.notifications import seed as notifications_seed

VIEWERS = 8
POOL = 120
FEED = 50
HEAD = 10
_SEED = 20_261_120

Wire = dict[str, Any]


@dataclass(frozen=True)
class Data:
    """Cards and stats by id; feed entries and inbox heads by viewer."""

    cards: dict[str, Wire]
    stats: dict[str, Wire]
    feeds: dict[str, list[Wire]]
    heads: dict[str, Wire]

    @property
    def viewers(self) -> list[str]:
        return list(self.feeds)


def make_data() -> Data:
    """The data of the bench; a second or two of work."""
    random = Random(_SEED)
    content = {table.name: rows for table, rows in content_seed.rows()}
    inboxes = _inboxes()
    viewers = _viewers(inboxes)
    pool = content["items"][-POOL:]
    wanted = {item["id"] for item in pool}
    stats = {row["item_id"]: dict(row) for row in content["item_stats"] if row["item_id"] in wanted}
    feeds = {viewer: _feed(random, pool) for viewer in viewers}
    heads = {viewer: _head(inboxes[viewer]) for viewer in viewers}
    people = {item["author_id"] for item in pool} | set(viewers)
    people |= {row["actor_id"] for head in heads.values() for row in head["latest"]} - {None}
    return Data(_cards(people), stats, feeds, heads)


def _inboxes() -> dict[str, list[Wire]]:
    """Every account's notifications, newest first."""
    # All tables: the seed fills a notification's revision in while it makes the next one.
    tables = {table.name: rows for table, rows in notifications_seed.rows()}
    found: dict[str, list[Wire]] = {}
    for row in reversed(tables["notifications"]):
        found.setdefault(row["account_id"], []).append(row)
    return found


def _viewers(inboxes: dict[str, list[Wire]]) -> list[str]:
    """The first accounts with an inbox that fills a head."""
    full = sorted(viewer for viewer, rows in inboxes.items() if len(rows) >= HEAD)
    return full[:VIEWERS]


def _feed(random: Random, pool: list[Wire]) -> list[Wire]:
    """A page of what is newest; viewers see much of the same, as followers of topics do."""
    chosen = sorted(random.sample(range(len(pool)), FEED), reverse=True)
    return [_entry(random, pool[number]) for number in chosen]


def _entry(random: Random, row: Wire) -> Wire:
    item = wire.item([row[column.name] for column in wire.ITEM_COLUMNS])
    reason = random.choice(("followed_topic", "popular", "because_you_saved", "new"))
    progress = None
    if random.random() < 0.4:
        seconds = random.randint(1, 900) if row["kind"] == "video" else None
        at = row["updated_at"] + random.randint(1, 50_000) * 1_000
        progress = {
            "fraction": round(random.random(), 2),
            "position_s": seconds,
            "updated_at": wire.wire_time(at),
            "revision": random.randint(1, 9),
        }
    # Decoded again: the service's fragments cannot be read as values.
    plain = orjson.loads(orjson.dumps(item))
    return {"item": plain, "saved": random.random() < 0.2, "progress": progress, "reason": reason}


def _head(rows: list[Wire]) -> Wire:
    latest = [_notification(row) for row in rows[:HEAD]]
    return {
        "unread": sum(row["read_at"] is None for row in rows),
        "latest": latest,
        "revision": len(rows),
        "updated_at": latest[0]["created_at"],
    }


def _notification(row: Wire) -> Wire:
    read_at = row["read_at"]
    told = {name: value for name, value in row.items() if name != "account_id"}
    told["created_at"] = _instant(row["created_at"])
    told["read_at"] = None if read_at is None else _instant(read_at)
    return told


def _instant(milliseconds: int) -> str:
    return to_wire(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _cards(people: set[str]) -> dict[str, Wire]:
    table = next(table for table in accounts_seed.seed_tables() if table.table.name == "accounts")
    return {row["id"]: _card(row) for row in table.rows() if row["id"] in people}


def _card(row: Mapping[str, Any]) -> Wire:
    return {
        "id": row["id"],
        "handle": row["handle"],
        "display_name": row["display_name"],
        "avatar": None if row["avatar"] is None else orjson.loads(row["avatar"]),
        "verified": row["verified"],
        "follower_count": row["follower_count"],
    }
