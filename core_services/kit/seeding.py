"""Bulk loading of demonstration data.

All of it in one transaction, and nothing where rows already are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import Table, insert, select, text

from core_services.kit.database import Database

_AT_ONCE = 1000
_SEED_LOCK = 4_711_002


@dataclass(frozen=True)
class SeedTable:
    """Rows of one table; `count` is for the progress bar, `rows` makes them afresh at each call."""

    table: Table
    count: int
    rows: Callable[[], Iterable[Mapping[str, Any]]]


class Progress(Protocol):
    """What is told how far the load is: a label, rows done so far and rows in all."""

    def __call__(self, label: str, done: int, total: int) -> None: ...


def no_progress(label: str, done: int, total: int) -> None:
    """Tell nobody."""


async def load_seed(
    database: Database, tables: Sequence[SeedTable], progress: Progress = no_progress
) -> bool:
    """Fill the tables, parents first, and return True.

    False and no change if the first one has rows.

    An interruption leaves nothing behind; two loads at once are one load.
    """
    async with database.writer(unhurried=True) as connection:
        if not database.is_sqlite:
            await connection.execute(
                text(
                    "SELECT set_config('statement_timeout', '0', true), pg_advisory_xact_lock(:n)"
                ),
                {"n": _SEED_LOCK},
            )
        if (await connection.execute(select(tables[0].table).limit(1))).first() is not None:
            return False
        for seed in tables:
            rows, done = iter(seed.rows()), 0
            while chunk := [dict(row) for row in islice(rows, _AT_ONCE)]:
                await connection.execute(insert(seed.table), chunk)
                done += len(chunk)
                progress(seed.table.name, done, seed.count)
    return True
