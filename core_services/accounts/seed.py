"""The demonstration accounts: 2,500 of them, the same rows every time; the kit loads them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import orjson
from mimesis import Address, Locale, Person

from core_services.accounts.passwords import seeded_hash
from core_services.accounts.tables import accounts, addresses, devices
from core_services.kit.seeding import SeedTable
from core_services.kit.tables import revision_counters

ACCOUNTS = 2_500
DEMO_HANDLE, DEMO_PASSWORD = "demo", "facet-demo"
BASE_TIME = datetime(2026, 11, 1, tzinfo=UTC)
"""Nothing in the seed is newer."""

_SEED = 20_261_101
_PEOPLE = {
    "en-GB": (Locale.EN_GB, "GB"),
    "en-US": (Locale.EN, "US"),
    "de-DE": (Locale.DE, "DE"),
    "es-ES": (Locale.ES, "ES"),
    "fr-FR": (Locale.FR, "FR"),
    "pt-BR": (Locale.PT_BR, "BR"),
    "ja-JP": (Locale.JA, "JP"),
    "fa-IR": (Locale.FA, "IR"),
    "tr-TR": (Locale.TR, "TR"),
    "uk-UA": (Locale.UK, "UA"),
}
_MODELS = {
    "ios": ("iPhone17,1", "iPhone16,2", "iPhone14,5", "iPad14,3"),
    "android": ("Pixel 10", "Pixel 8a", "SM-S938B", "Redmi Note 14"),
    "web": ("Firefox", "Safari", "Chrome"),
}
_STATES = ("verified", "verified", "pending_verification", "rejected")
_LABELS = ("Home", "Work", "Parents", "Summer house")
_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_HARD_NAMES = (
    "Wolfeschlegelsteinhausenbergerdorff von und zu der alten Mühle am Wehr",
    "🦊 Ren & the 夜 Readers 📚",
    "שירה כהן־לוי",
    "عبد الرحمن بن خالد",
    "Zoë Ångström-Ñuñez",
    "X",
)
_BIOS = (
    "Reads more than is sensible.",
    "Films, long articles, short walks.",
    "📷 + ☕ = 🙂",
    "קוראת בלילה, ישנה בבוקר.",
    "Collects maps of cities that changed their names.\nAsk me about Königsberg.",
    "I comment rarely. " * 20,
)

Row = dict[str, Any]


def seed_tables() -> list[SeedTable]:
    """Return accounts with their addresses, devices and revision counters, parents first."""
    return [
        SeedTable(accounts, ACCOUNTS, _accounts),
        SeedTable(addresses, len(_all_addresses()), _all_addresses),
        SeedTable(devices, len(_all_devices()), _all_devices),
        SeedTable(revision_counters, ACCOUNTS, _counters),
    ]


def account_id(number: int) -> str:
    """Return the id of the seeded account of this number, from 1."""
    return f"acc_{number:05d}"


def _accounts() -> Iterator[Row]:
    random = Random(_SEED)  # noqa: S311 - the same rows every time
    people = {locale: Person(name, seed=_SEED) for locale, (name, _) in _PEOPLE.items()}
    password_hash = seeded_hash(DEMO_PASSWORD, b"facet demo salt!")
    for number in range(1, ACCOUNTS + 1):
        locale = _locale_of(number)
        joined_at = BASE_TIME - timedelta(minutes=random.randrange(60, 3_000_000))
        yield {
            "id": account_id(number),
            "handle": DEMO_HANDLE if number == 1 else f"reader{number:05d}",
            "password_hash": password_hash,
            "display_name": _display_name(number, people[locale]),
            "bio": _bio(number, random),
            "email": f"reader{number:05d}@example.com",
            "phone": f"+1555{random.randrange(10**7):07d}" if random.random() < 0.6 else None,
            "locale": locale,
            "avatar": _avatar(number, random),
            "verified": number == 1 or random.random() < 0.04,
            "follower_count": int(random.paretovariate(0.9)) % 2_000_000,
            "following_count": random.randrange(600),
            "joined_at": joined_at,
            "revocation_epoch": 0,
            "epoch_moved_at": None,
            "revision": _revision_of(number),
            "updated_at": joined_at + (BASE_TIME - joined_at) * random.randrange(1000) / 1000,
        } | ({} if number > 1 else {"email": "demo@example.com"})


def _locale_of(number: int) -> str:
    locales = tuple(_PEOPLE)
    return locales[(number - 1) * 7 % len(locales)]


def _display_name(number: int, person: Person) -> str:
    name = person.full_name()
    if number == 1:
        return "Demo Reader"
    if number % 40 == 0:
        return _HARD_NAMES[number // 40 % len(_HARD_NAMES)]
    return name[:80]


def _bio(number: int, random: Random) -> str | None:
    bio = random.choice(_BIOS).strip()
    return None if number > 1 and random.random() < 0.3 else bio


def _avatar(number: int, random: Random) -> str | None:
    side = random.choice((256, 512, 1024))
    media = {
        "key": f"img/{random.getrandbits(40):010x}",
        "width": side,
        "height": side,
        "blur_hash": "L" + "".join(random.choices(_BASE83, k=27)),
        "alt": f"Portrait {number}",
    }
    return None if number > 1 and random.random() < 0.2 else orjson.dumps(media).decode()


def _revision_of(number: int) -> int:
    return 1 + number % 5


def _counters() -> Iterator[Row]:
    # Above every seeded row's revision, as if each row's last write were among the first ten.
    return ({"account_id": account_id(n), "n": 10} for n in range(1, ACCOUNTS + 1))


@cache
def _all_addresses() -> list[Row]:
    random = Random(_SEED + 1)  # noqa: S311 - the same rows every time
    books = {locale: Address(name, seed=_SEED) for locale, (name, _) in _PEOPLE.items()}
    rows: list[Row] = []
    for number in range(1, ACCOUNTS + 1):
        locale = _locale_of(number)
        book, country = books[locale], _PEOPLE[locale][1]
        for place in range(2 if number == 1 else random.randrange(4)):
            rows.append(
                {
                    "id": f"adr_{len(rows) + 1:06d}",
                    "account_id": account_id(number),
                    "label": _LABELS[place],
                    "line1": book.address()[:120],
                    "line2": random.choice((None, None, "c/o Facet", "2nd floor")),
                    "city": book.city()[:80],
                    "postcode": book.postal_code()[:16],
                    "country": country,
                    "state": random.choice(_STATES),
                    "revision": 1 + random.randrange(9),
                    "updated_at": BASE_TIME - timedelta(minutes=random.randrange(1_000_000)),
                }
            )
    return rows


@cache
def _all_devices() -> list[Row]:
    random = Random(_SEED + 2)  # noqa: S311 - the same rows every time
    rows: list[Row] = []
    for number in range(1, ACCOUNTS + 1):
        for _ in range(2 if number == 1 else random.randrange(1, 4)):
            platform = random.choice(("ios", "android", "web"))
            model = random.choice(_MODELS[platform])
            created_at = BASE_TIME - timedelta(minutes=random.randrange(60, 1_000_000))
            rows.append(
                {
                    "account_id": account_id(number),
                    "id": f"dev_{len(rows) + 1:06d}",
                    "platform": platform,
                    "model": model,
                    "name": f"{model} {random.randrange(1, 99)}",
                    "last_seen_at": created_at + timedelta(minutes=random.randrange(60)),
                    "created_at": created_at,
                }
            )
    return rows
