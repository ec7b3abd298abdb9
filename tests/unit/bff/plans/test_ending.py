"""Giving up what is pending costs each of it once, however many there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bff.plans.ending import Ending
from bff.plans.places import Place
from bff.plans.run import Pending, Run

MANY = 1_000
ABOVE: Place = (None, "list", None)


class Compared(Pending):
    """Counts how often one is compared with another."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return self is other

    __hash__ = object.__hash__


def _pending(above: Place) -> list[Compared]:
    Compared.times = 0
    return [Compared(object(), None, (above, index, None)) for index in range(MANY)]  # type: ignore[arg-type]


def test_lost_place_is_left_at_once() -> None:
    """Thousands of values below a place that an error took are given up without comparing each with
    each; the others stay."""
    gone: list[Any] = []
    lost, kept = _pending(ABOVE), _pending((None, "other", None))
    run: Any = SimpleNamespace(pending=[*lost, *kept], settle_in_background=gone.extend)
    Run._give_up(run, ABOVE)
    assert (len(gone), len(run.pending)) == (MANY, MANY)
    assert Compared.times <= MANY


def test_late_values_end_at_once() -> None:
    """The same of values whose time is up."""
    released: list[Any] = []
    run: Any = SimpleNamespace(
        pending=_pending(ABOVE), release=released.append, nulled=set(), bubble=lambda *_: None
    )
    showing: Any = SimpleNamespace(is_over=True, late=TimeoutError)
    Ending(run, showing, (), {}, lambda _: None).end()
    assert (len(released), run.pending) == (MANY, [])
    assert Compared.times <= MANY
