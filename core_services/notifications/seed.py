"""The demo data of notifications: the same rows on every machine; loading them is the kit's work.

25,000 notifications of the 2,500 seeded accounts, their inboxes with a true unread count, and
everybody's preferences. Ids of accounts and items are known by their form alone (`acc_00001`,
`itm_00001` …).
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

from mimesis import Locale, Text
from sqlalchemy import Table

from core_services.kit.seeding import SeedTable
from core_services.kit.tables import revision_counters
from core_services.notifications.tables import (
    inboxes,
    notifications,
    preference_sets,
    preferences,
)

SEED = 20_261_102
ACCOUNTS, ITEMS, NOTIFICATIONS = 2_500, 6_000, 25_000
BASE_TIME = 1_793_491_200_000
"""2026-11-01T00:00:00Z: nothing in the seed is newer."""
DEMO = "acc_00001"
DEMO_NOTIFICATIONS, FIRST_TO_DEMO = 80, 3
"""The demo account's share; the first ids are among it: the ids that OpenAPI shows."""

KINDS = ("like", "comment", "follow", "mention", "new_content", "system")
_WEIGHTS = (40, 20, 15, 8, 12, 5)
_MINUTE, _DAYS = 60_000, 120
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "UTC")
_QUIET = (("22:00", "07:00"), ("00:00", "06:30"), ("13:00", "14:00"), ("23:59", "00:00"))
_PHRASES = {
    "like": ("liked your post", "gefällt dein Beitrag ❤️", "أعجبه منشورك"),
    "comment": ("commented: {}", "hat kommentiert: „{}“", "הגיב: {}"),
    "follow": ("started following you", "folgt dir jetzt", "さんがあなたをフォローしました"),
    "mention": ("mentioned you: {}", "🗣️ @you {}", "упоминает вас: {}"),
    "new_content": ("published something new: {}", "🎬 {}", "新しい動画: {}"),
    "system": ("Your password was changed", "Maintenance tonight 🛠️ 02:00–03:00 UTC", "ok"),
}

Row = dict[str, Any]


def seed_tables() -> list[SeedTable]:
    """What the kit loads."""
    return [SeedTable(table, len(found), partial(iter, found)) for table, found in rows()]


def rows() -> Iterator[tuple[Table, list[Row]]]:
    """Every table with its rows; the same rows at each call."""
    # A fixed seed is the point here: this is demo data, nobody's secret depends on it.
    random = Random(SEED)  # noqa: S311
    people = [f"acc_{number:05}" for number in range(1, ACCOUNTS + 1)]
    told = _notifications(random, people)
    yield notifications, told
    kept = _inboxes(people, told)
    yield inboxes, kept
    # The counters go on from here, or the first write would repeat a revision already told.
    yield (
        revision_counters,
        [{"account_id": row["account_id"], "n": row["revision"]} for row in kept],
    )
    yield preferences, [row for person in people for row in _preferences(random, person)]
    yield preference_sets, [_preference_set(random, person) for person in people]


def _notifications(random: Random, people: list[str]) -> list[Row]:
    quotes = _quotes()
    owners = [DEMO] * (DEMO_NOTIFICATIONS - FIRST_TO_DEMO)
    # Squaring leans towards low numbers: a few inboxes are long, most are short, some are empty.
    owners += [
        people[1:][int(random.random() ** 2 * (ACCOUNTS - 1))]
        for _ in range(NOTIFICATIONS - DEMO_NOTIFICATIONS)
    ]
    random.shuffle(owners)
    # Whole minutes: several of an account's notifications share their instant.
    moments = sorted(random.randint(1, _DAYS * 1440) for _ in range(NOTIFICATIONS))
    return [
        _notification(random, number, owner, moment, random.choice(quotes))
        for number, (owner, moment) in enumerate(
            zip([DEMO] * FIRST_TO_DEMO + owners, moments, strict=True), start=1
        )
    ]


def _notification(random: Random, number: int, owner: str, moment: int, quote: str) -> Row:
    kind = random.choices(KINDS, weights=_WEIGHTS)[0]
    created = BASE_TIME - (_DAYS * 1440 - moment) * _MINUTE
    # The older, the more likely it was read; the newest day is mostly unread.
    was_read = random.random() < 0.85 - 0.7 * (moment / (_DAYS * 1440)) ** 4
    return {
        "id": f"ntf_{number:06}",
        "account_id": owner,
        "kind": kind,
        "actor_id": None if kind == "system" else f"acc_{random.randint(1, ACCOUNTS):05}",
        "item_id": None if kind in ("follow", "system") else f"itm_{random.randint(1, ITEMS):05}",
        "text": random.choice(_PHRASES[kind]).format(quote)[:1000],
        "created_at": created,
        "read_at": min(BASE_TIME, created + random.randint(1, 900) * _MINUTE) if was_read else None,
        "revision": 0,
    }


def _inboxes(people: list[str], told: list[Row]) -> list[Row]:
    """One inbox for each account; revisions number its notifications in the order they came."""
    revisions: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    updated: dict[str, int] = {}
    for row in told:
        owner = row["account_id"]
        revisions[owner] += 1
        row["revision"] = revisions[owner]
        unread[owner] += row["read_at"] is None
        updated[owner] = max(updated.get(owner, 0), row["created_at"], row["read_at"] or 0)
    return [
        {
            "account_id": person,
            "unread": unread[person],
            "updated_at": updated.get(person, BASE_TIME),
            "revision": revisions[person],
        }
        for person in people
    ]


def _preferences(random: Random, person: str) -> list[Row]:
    return [
        {
            "account_id": person,
            "kind": kind,
            "push": random.random() < 0.7,
            "email": random.random() < 0.3,
            "in_app": kind == "system" or random.random() < 0.95,
        }
        for kind in KINDS
    ]


def _preference_set(random: Random, person: str) -> Row:
    start, end, zone = None, None, None
    if person == DEMO:
        (start, end), zone = _QUIET[0], _ZONES[0]
    elif random.random() < 0.3:
        (start, end), zone = random.choice(_QUIET), random.choice(_ZONES)
    return {
        "account_id": person,
        "quiet_start": start,
        "quiet_end": end,
        "quiet_time_zone": zone,
        "updated_at": BASE_TIME - random.randint(0, 500) * 1440 * _MINUTE,
        "revision": 0,
    }


def _quotes() -> list[str]:
    locales = (Locale.EN, Locale.DE, Locale.FA, Locale.JA, Locale.RU)
    found = [
        source.quote() for source in (Text(at, seed=SEED) for at in locales) for _ in range(80)
    ]
    return [*found, "👨‍👩‍👧‍👦" * 40, "<script>alert(1)</script>", "{braces} %s \\", "long " * 180]
