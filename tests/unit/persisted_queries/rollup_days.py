"""Days of roll-ups for tests, as processes would have written them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from persisted_queries.devices import Devices
from persisted_queries.rollups import ALL_DOCUMENTS, Book, RollUp, RollUpStore, Trail, path

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOME = "a" * 64


def write(
    store: RollUpStore,
    process: str,
    number: int,
    begins: datetime,
    ends: datetime,
    *,
    closes: bool = False,
    asked: Sequence[tuple[str, str, int]] = (),
    devices: Sequence[int] = (),
    every_s: float = 60.0,
) -> str:
    """One roll-up of a process; `asked` is (release, document, requests)."""
    book = Book()
    for release, document, requests in asked:
        for one in dict.fromkeys((ALL_DOCUMENTS, document)):
            tally = book.tally(release, one, begins)
            tally.requests += requests
            tally.last = ends
            tally.devices.merge(Devices(256, devices))
    trail = Trail(process, number, begins, ends, every_s, closes)
    name = path("ios", begins.date(), process, number)
    assert store.create(name, RollUp("ios", (trail,), book.rows()).encode())
    return name


def write_days(store: RollUpStore, process: str, days: int, **kwargs: object) -> None:
    """A process that ran from `days` before NOW's midnight until it stopped at NOW."""
    midnight = NOW.replace(hour=0)
    for back in range(days, -1, -1):
        begins = midnight - back * DAY
        for number, part in enumerate((0.5, 1.0), start=1):
            ends = min(begins + part * DAY, NOW)
            write(
                store,
                process,
                2 * (days - back) + number,
                begins,
                ends,
                closes=back == 0 and number == 2,
                **kwargs,  # type: ignore[arg-type]
            )
