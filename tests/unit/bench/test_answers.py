"""What the stub services answer."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.bench.answers import Batch, Page, viewer_of
from tests.bench.http1 import read_reply
from tests.bench.identities import Identities
from tests.bench.stubs import value


def body_of(answer: bytes) -> object:
    """The decoded body of a whole answer."""
    reply = read_reply(answer)
    assert reply is not None
    assert reply.size == len(answer)
    return orjson.loads(reply.body)


def test_batch_keeps_asked_order() -> None:
    """Records come in the order asked for; unknown ids are left out."""
    batch = Batch("cards", {"a": {"id": "a"}, "b": {"id": "b"}})
    answer = batch(b"", b"", b'{"ids":["b","x","a"]}')
    assert body_of(answer) == {"cards": [{"id": "b"}, {"id": "a"}]}
    assert body_of(batch(b"", b"", b'{"ids":[]}')) == {"cards": []}


def test_page_is_the_viewers() -> None:
    """Two viewers and two sizes get four pages, each made once."""
    made = []

    def make(viewer: str, first: int) -> dict[str, object]:
        made.append((viewer, first))
        return {"of": viewer, "first": first}

    page = Page(make, 7)
    for _ in range(2):
        assert body_of(page(b"first=2", b"acc_1", b"")) == {"of": "acc_1", "first": 2}
        assert body_of(page(b"first=2", b"acc_2", b"")) == {"of": "acc_2", "first": 2}
        assert body_of(page(b"", b"acc_2", b"")) == {"of": "acc_2", "first": 7}
    assert made == [("acc_1", 2), ("acc_2", 2), ("acc_2", 7)]


def test_viewer_in_either_form(tmp_path: Path) -> None:
    """A signed assertion and a plain id name the same account."""
    token = Identities.make(tmp_path, ["acc_00007"], "bff-ios").tokens["acc_00007"]
    assert viewer_of(token.encode()) == viewer_of(b"acc_00007") == "acc_00007"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nX-Viewer: Abc \r\na: b", b"Abc"),
        (b"GET / HTTP/1.1\r\nx-viewer:Abc", b"Abc"),
        (b"GET / HTTP/1.1\r\nnot-x-viewer: Abc", b""),
    ],
)
def test_header_value_is_found(head: bytes, expected: bytes) -> None:
    """A header is found whatever its case and place, and only by its whole name."""
    assert value(head, head.lower(), b"\r\nx-viewer:") == expected
