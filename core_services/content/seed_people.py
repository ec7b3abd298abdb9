"""What the seeded accounts follow, saved and began: the second half of the demo data of content."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from sqlalchemy import Table

from core_services.content.tables import followed_topics, progress, saved
from core_services.kit.tables import revision_counters

ACCOUNTS, SAVED, PROGRESS = 2_500, 12_000, 10_000
DEMO = "acc_00001"
_DEMO_ROWS = 45
_MINUTE = 60_000

Row = dict[str, Any]


def rows(
    random: Random, items: Sequence[Row], topics: Sequence[str], until: int
) -> Iterator[tuple[Table, list[Row]]]:
    """What people did up to `until` (ms), and the revision counters this brought them to."""
    people = [f"acc_{number:05}" for number in range(1, ACCOUNTS + 1)]
    revisions: Counter[str] = Counter()
    yield followed_topics, _followed(random, people, topics)
    yield saved, _saved(random, _pairs(random, people, items, SAVED), revisions, until)
    yield progress, _progress(random, _pairs(random, people, items, PROGRESS), revisions, until)
    # The counters go on from here, or the first write would repeat a revision already told.
    yield revision_counters, [{"account_id": key, "n": n} for key, n in revisions.items()]


def _followed(random: Random, people: Sequence[str], topics: Sequence[str]) -> list[Row]:
    """One account in twenty follows nothing; the demo account follows six topics."""
    wanted = {person: random.randint(0, 9) if random.random() < 0.5 else 4 for person in people}
    wanted[DEMO] = 6
    return [
        {"account_id": person, "topic": topic}
        for person in people
        for topic in random.sample(topics, wanted[person])
    ]


def _pairs(
    random: Random, people: Sequence[str], items: Sequence[Row], size: int
) -> list[tuple[str, Row]]:
    """`size` distinct pairs of account and item: the demo account's, then anybody else's."""
    pairs = {(DEMO, number) for number in random.sample(range(len(items)), _DEMO_ROWS)}
    others = people[1:]
    while len(pairs) < size:
        # Squaring leans towards low numbers: a few accounts keep much, most keep little.
        person = others[int(random.random() ** 2 * len(others))]
        pairs.add((person, random.randrange(len(items))))
    return [(person, items[number]) for person, number in sorted(pairs)]


def _saved(
    random: Random, pairs: list[tuple[str, Row]], revisions: Counter[str], until: int
) -> list[Row]:
    found = []
    for person, item in pairs:
        at = _moment(random, item, until)
        revisions[person] += 1
        found.append(
            {
                "account_id": person,
                "item_id": item["id"],
                "saved_at": None if random.random() < 0.04 else at,
                "updated_at": at,
                "revision": revisions[person],
            }
        )
    return found


def _progress(
    random: Random, pairs: list[tuple[str, Row]], revisions: Counter[str], until: int
) -> list[Row]:
    found = []
    for person, item in pairs:
        # Begun, finished, and opened without reading on: each of them occurs.
        fraction = random.choices((round(random.uniform(0.01, 0.99), 4), 1.0, 0.0), (70, 25, 5))[0]
        length = item["duration_s"]
        revisions[person] += 1
        found.append(
            {
                "account_id": person,
                "item_id": item["id"],
                "fraction": fraction,
                "position_s": None if length is None else int(length * fraction),
                "updated_at": _moment(random, item, until),
                "revision": revisions[person],
            }
        )
    return found


def _moment(random: Random, item: Row, until: int) -> int:
    since: int = item["published_at"]
    return since + random.randint(0, max(0, (until - since) // _MINUTE)) * _MINUTE
