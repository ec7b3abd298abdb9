"""bff/edge/head.py and endpoint.py: reading heads, and clients that leave while answered."""

import pytest
from starlette.types import Message, Scope

from bff.edge.head import read_head
from tests.unit.bff.edge.fakes import edge


def scope(*headers: tuple[bytes, bytes]) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": "/graphql",
        "root_path": "",
        "query_string": b"documentId=x",
        "headers": list(headers),
    }


def test_repeated_headers_are_joined() -> None:
    """A header sent in several lines means its values as one list; cookies join by semicolon."""
    head = read_head(
        "graphql",
        scope(
            (b"accept", b"multipart/mixed"),
            (b"cookie", b"a=1"),
            (b"accept", b"application/json"),
            (b"cookie", b"b=2"),
            (b"host", b"facet"),
        ),
    )
    assert head.headers == {
        b"accept": b"multipart/mixed, application/json",
        b"cookie": b"a=1; b=2",
        b"host": b"facet",
    }


@pytest.mark.parametrize("length", [1, 64])
def test_request_ids_of_any_length(length: int) -> None:
    """One to 64 characters are kept."""
    sent = b"a" * length
    assert read_head("graphql", scope((b"x-request-id", sent))).request_id == sent.decode()


def test_two_request_ids_are_none() -> None:
    """Two ids in one request name nothing: a fresh one is made."""
    head = read_head("graphql", scope((b"x-request-id", b"a"), (b"x-request-id", b"b")))
    assert len(head.request_id) == 32


@pytest.mark.parametrize("fails_at", ["http.response.start", "http.response.body"])
async def test_left_clients_are_no_faults(
    fails_at: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that leaves while it is answered raises nothing, logs nothing and is told of."""
    served = edge()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == fails_at:
            raise OSError("connection lost")

    await served.app(scope(), receive, send)
    assert capsys.readouterr().out == ""
    assert len(served.told.reports) == 1
