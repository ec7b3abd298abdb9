"""What `cache-control` allows to be kept: what is not understood is not kept."""

from __future__ import annotations

import pytest

from bff.store.freshness import MOST_S, Freshness, folded, read_freshness, read_tags


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("public, max-age=60", Freshness(60, 0, 0, private=False)),
        ("Public,MAX-AGE=60", Freshness(60, 0, 0, private=False)),
        ('public, max-age="60"', Freshness(60, 0, 0, private=False)),
        ("private, max-age=0, stale-if-error=600", Freshness(0, 0, 600, private=True)),
        (
            "public, max-age=5, stale-while-revalidate=30, stale-if-error=3600",
            Freshness(5, 30, 3_600, private=False),
        ),
        ("public, max-age=5, stale-if-error=9, must-revalidate", Freshness(5, 0, 0, private=False)),
        ("public, max-age=99999999", Freshness(MOST_S, 0, 0, private=False)),
        ("public, max-age=60, max-age=60", Freshness(60, 0, 0, private=False)),
        ("public, max-age=60, immutable", Freshness(60, 0, 0, private=False)),
    ],
)
def test_declared_times_are_read(header: str, expected: Freshness) -> None:
    """Times are seconds, a long one is cut; directives unknown to us change nothing."""
    assert read_freshness(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "max-age=60",
        "public",
        "public, max-age=0",
        "public, private, max-age=60",
        "no-store",
        "public, max-age=60, no-store",
        "public, max-age=60, no-cache",
        "public, max-age=60, max-age=3600",
        "public, max-age=-1",
        "public, max-age=1.5",
        "public, max-age=٣",
        "public, max-age=60, stale-if-error=soon",
        'private="set-cookie", max-age=60',
    ],
)
def test_anything_else_is_not_kept(header: str) -> None:
    """Nobody named, nothing said, a contradiction or no number: closed."""
    assert read_freshness(header) is None


def test_parts_make_the_shortest() -> None:
    """What several answers are made into holds as long as the shortest of them, and not at all if
    one of them may not be kept."""
    one, other = Freshness(60, 5, 0, private=False), Freshness(5, 300, 9, private=True)
    assert folded([one, other]) == Freshness(5, 5, 0, private=True)
    assert folded([one, None]) is None
    assert folded([]) is None


def test_tags_are_read_once_each() -> None:
    """Comma-separated, blanks around them do not count."""
    assert read_tags(" item:1, item:2 ,,item:1") == ("item:1", "item:2")
    assert read_tags(None) == ()
