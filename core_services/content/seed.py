"""The demo data of content: the same rows on every machine; loading them is the kit's work.

6,000 items, their bodies, streams, entries, counters and comments, and what the 2,500 seeded
accounts follow, saved and began. Ids of accounts are known by their form alone (`acc_00001` …).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from random import Random
from typing import Any

import orjson
from sqlalchemy import Table

from core_services.content import seed_people
from core_services.content.seed_texts import HARD_TITLES, MAX_TITLE, SEED, Library, Pool
from core_services.content.tables import (
    REACH_EVERYONE,
    REACH_FOLLOWERS,
    REACH_POPULAR,
    collection_entries,
    comments,
    item_details,
    item_stats,
    items,
)
from core_services.kit.seeding import SeedTable

ITEMS, COMMENTS = 6_000, 15_000
BASE_TIME = 1_793_491_200_000
"""2026-11-01T00:00:00Z: nothing in the seed is newer."""

TOPICS = (
    "architecture", "astronomy", "baking", "books", "cities", "climate", "cycling", "design",
    "economics", "film", "football", "gardening", "history", "languages", "music", "nature",
    "photography", "physics", "running", "software", "space", "theatre", "travel", "woodwork",
)  # fmt: skip
KINDS = ("article", "video", "collection")
_EXAMPLE_KINDS = dict(enumerate(KINDS))
"""The first three items are one of each kind: the ids that OpenAPI shows."""

_MINUTE, _DAY = 60_000, 86_400_000
_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_RENDITIONS = (("240p", 400), ("480p", 1_200), ("720p", 2_800), ("1080p", 5_200), ("2160p", 16_000))
_CAPTIONS = ("en", "de", "es", "fr", "ar", "he", "ja", "pt-BR", "zh-Hans", "uk")

Row = dict[str, Any]


@dataclass
class Draft:
    """The seed while it grows; one list of rows for each table."""

    random: Random
    library: Library
    authors: "Authors"
    items: list[Row] = field(default_factory=list)
    details: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    topic_sizes: Counter[str] = field(default_factory=Counter)


class Authors:
    """A few accounts write most of what there is, as everywhere."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ids = random.sample(range(1, seed_people.ACCOUNTS + 1), 400)
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(400)))

    def pick(self) -> str:
        """The id of the next author."""
        return account_id(self._random.choices(self._ids, cum_weights=self._weights)[0])


def seed_tables() -> list[SeedTable]:
    """What the kit loads, parents first."""
    return [SeedTable(table, len(found), partial(iter, found)) for table, found in rows()]


def rows() -> Iterator[tuple[Table, list[Row]]]:
    """Every table with its rows, parents before children; the same rows at each call."""
    # A fixed seed is the point here: this is demo data, nobody's secret depends on it.
    random = Random(SEED)  # noqa: S311
    draft = Draft(random, Library(random), Authors(random))
    kinds = random.choices(KINDS, weights=(55, 30, 15), k=ITEMS)
    for number in range(ITEMS):
        _add_item(draft, number, _EXAMPLE_KINDS.get(number, kinds[number]))
    _add_entries(draft)
    said = _comments(draft)
    yield items, draft.items
    yield item_details, draft.details
    yield collection_entries, draft.entries
    yield item_stats, _stats(draft, Counter(row["item_id"] for row in said))
    yield comments, said
    yield from seed_people.rows(random, draft.items, TOPICS, BASE_TIME)


def item_id(number: int) -> str:
    """The id of the item with this index (0 …)."""
    return f"itm_{number + 1:05}"


def account_id(number: int) -> str:
    """The id of the account with this number (1 …)."""
    return f"acc_{number:05}"


def _add_item(draft: Draft, number: int, kind: str) -> None:
    random, pool = draft.random, draft.library.pick()
    topics = random.sample(TOPICS, random.choice((1, 1, 2, 2, 3, 5)))
    # Every seventh item shares its instant with the one before: cursors must break the tie.
    published = BASE_TIME - (ITEMS - number + (number % 7 == 0)) * 130 * _MINUTE
    draft.topic_sizes[topics[0]] += 1
    draft.items.append(
        {
            "id": item_id(number),
            "kind": kind,
            "title": _title(random, pool, number),
            "summary": None if random.random() < 0.15 else random.choice(pool.summaries),
            "author_id": draft.authors.pick(),
            "image_json": None if random.random() < 0.12 else _json(_image(random)),
            "topics_json": _json(topics),
            "main_topic": topics[0],
            "topic_position": draft.topic_sizes[topics[0]],
            "reach": random.choices(
                (REACH_FOLLOWERS, REACH_EVERYONE, REACH_POPULAR), weights=(60, 25, 15)
            )[0],
            "published_at": published,
            "updated_at": published + random.choice((0, 0, random.randint(1, 100) * _MINUTE)),
            "revision": random.randint(1, 5),
            **_of_kind(draft, pool, number, kind),
        }
    )


def _of_kind(draft: Draft, pool: Pool, number: int, kind: str) -> Row:
    random = draft.random
    own: Row = dict.fromkeys(
        ("reading_minutes", "word_count", "duration_s", "captions_json", "item_count")
    )
    if kind == "article":
        body = random.choices(pool.paragraphs, k=random.randint(2, 9))
        words = sum(len(paragraph.split()) for paragraph in body)
        own |= {"word_count": words, "reading_minutes": max(1, words // 200)}
        draft.details.append({"item_id": item_id(number), "detail_json": _json(body)})
    elif kind == "video":
        captions = random.sample(_CAPTIONS, random.choice((0, 1, 2, 4)))
        own |= {"duration_s": random.randint(6, 7_200), "captions_json": _json(captions)}
        draft.details.append({"item_id": item_id(number), "detail_json": _json(_streams(random))})
    else:
        own |= {"item_count": random.randint(5, 12)}
    return own


def _add_entries(draft: Draft) -> None:
    """Fill the collections with items that are not collections, each at most once."""
    plain = [row["id"] for row in draft.items if row["kind"] != "collection"]
    for row in draft.items:
        if row["kind"] == "collection":
            chosen = draft.random.sample(plain, row["item_count"])
            draft.entries += [
                {"collection_id": row["id"], "position": position, "item_id": entry}
                for position, entry in enumerate(chosen)
            ]


def _stats(draft: Draft, commented: Counter[str]) -> list[Row]:
    stats = []
    for row in draft.items:
        boost = 40 if row["reach"] == REACH_POPULAR else 1
        views = min(int(draft.random.paretovariate(0.9) * 120 * boost), 3_000_000)
        likes = int(views * draft.random.uniform(0, 0.2))
        stats.append(
            {
                "item_id": row["id"],
                "views": views,
                "likes": likes,
                "comments": commented[row["id"]],
                "shares": likes // draft.random.randint(3, 40),
            }
        )
    stats[41]["views"] = 5_000_000_000  # more than 32 bits hold, as the best known videos have
    return stats


def _comments(draft: Draft) -> list[Row]:
    """Half of the comments under one item in fifty, none under many; ids in order of time."""
    random = draft.random
    hot = random.sample(range(ITEMS), ITEMS // 50)
    places = [random.choice(hot) for _ in range(COMMENTS // 2)]
    places += [random.randrange(ITEMS) for _ in range(COMMENTS - len(places) - 60)]
    places += [number % 3 for number in range(60)]
    drawn = sorted((_moment_after(draft, number), number) for number in places)
    return [
        {
            "id": f"cmt_{number:06}",
            "item_id": item_id(place),
            "author_id": draft.authors.pick() if random.random() < 0.2 else _anyone(random),
            "text": random.choice(draft.library.pick().remarks),
            "like_count": int(random.paretovariate(1.2)) - 1,
            "created_at": created,
            "revision": 1,
        }
        for number, (created, place) in enumerate(drawn, start=1)
    ]


def _moment_after(draft: Draft, number: int) -> int:
    published: int = draft.items[number]["published_at"]
    # Whole minutes: comments that share their instant are common, as in a busy thread.
    age = (BASE_TIME - published) // _MINUTE
    return published + draft.random.randint(0, min(age, 5_000)) * _MINUTE


def _anyone(random: Random) -> str:
    return account_id(random.randint(1, seed_people.ACCOUNTS))


def _title(random: Random, pool: Pool, number: int) -> str:
    # Spread over the whole range, with one of each kind of trouble near the top of every feed.
    if number % 60 == 59:
        return HARD_TITLES[(number // 60) % len(HARD_TITLES)][:MAX_TITLE]
    return random.choice(pool.titles)


def _image(random: Random) -> Row:
    width, height = random.choice(((1600, 900), (1200, 1200), (900, 1600), (4000, 3000), (3, 1)))
    return {
        "key": f"img/{random.getrandbits(32):08x}",
        "width": width,
        "height": height,
        # "L" announces 4 x 3 components: 28 characters in all, or decoders refuse it.
        "blur_hash": "L" + "".join(random.choices(_BASE83, k=27)),
        "alt": random.choice(("", "A photograph", "Grafik: Übersicht", "صورة", "📷 cover")),
    }


def _streams(random: Random) -> list[Row]:
    folder = f"vid/{random.getrandbits(32):08x}"
    return [
        {"quality": quality, "key": f"{folder}/{quality}", "bitrate_kbps": bitrate}
        for quality, bitrate in _RENDITIONS[: random.randint(2, 5)]
    ]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
