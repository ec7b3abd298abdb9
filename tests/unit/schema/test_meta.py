"""Promises of schema/web/meta.py: what search engines read of an item."""

import msgspec
import pytest

from bff.loaders.content import ArticleDetailRecord
from schema.web.meta import DESCRIPTION_LENGTH, _description
from tests.unit.schema.samples import item


def described(title: str, summary: str | None) -> str:
    sample = item("itm_0", detail=True) | {"title": title, "summary": summary}
    return _description(msgspec.convert(sample, ArticleDetailRecord))


@pytest.mark.parametrize(
    ("summary", "expected"),
    [("Short.", "Short."), (None, "Title"), ("", "Title"), ("a\n\n b\t c", "a b c")],
)
def test_description_is_one_line(summary: str | None, expected: str) -> None:
    """The summary in one line, or the title of an item without one."""
    assert described("Title", summary) == expected


def test_long_description_is_cut() -> None:
    """What search engines would cut off is cut here, with an ellipsis, to 160 characters."""
    assert described("T", "x" * DESCRIPTION_LENGTH) == "x" * DESCRIPTION_LENGTH
    cut = described("T", "word " * 100)
    assert len(cut) <= DESCRIPTION_LENGTH
    assert cut.endswith("word…")
