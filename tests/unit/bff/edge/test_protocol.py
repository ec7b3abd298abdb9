"""bff/edge/protocol.py over real sockets: heads within limits, trailers without effect."""

import asyncio
import inspect
import json
from collections.abc import Iterator

import httptools
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bff.config import EdgeConfig
from bff.edge import protocol
from bff.edge.protocol import LINGER_BYTES, MAX_HEADERS
from bff.edge.receipt import Guard, Told
from bff.edge.server import busy_answer
from bff.edge.server import protocol as protocol_of
from tests.harness.raw_http import TIMEOUT_S, RawAnswer, Seen, Wire, echoing, head_of

LIMIT = 4096
PLAIN = b"GET /plain HTTP/1.1\r\nhost: facet\r\n\r\n"
CHUNKED = (
    b"POST /chunked HTTP/1.1\r\nhost: facet\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n"
)
TRAILERS = (
    b"authorization: Bearer stolen\r\ncontent-type: text/plain\r\n"
    b"x-request-id: forged\r\nexpect: 100-continue\r\n"
)
# Kernel buffers of both ends, which the server does not see.
BUFFERED = 16_000_000


def _protocol(max_head_bytes: int) -> type[asyncio.Protocol]:
    """As gateways have it, with a small limit."""
    edge = EdgeConfig(max_head_bytes=max_head_bytes)
    told = Told(lambda _: None, lambda _: None)
    return protocol_of(edge, Guard(edge, told, busy_answer()))


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, Seen]]:
    """A server with a small limit, and the application behind it."""
    seen = Seen()
    with echoing(_protocol(LIMIT), seen) as found:
        yield found, seen


@pytest.fixture
def app(served: tuple[int, Seen]) -> Seen:
    """The application, as if nothing had reached it."""
    _, seen = served
    seen.begun = 0
    seen.left.clear()
    return seen


@pytest.fixture
def port(served: tuple[int, Seen]) -> int:
    """Where the server listens."""
    return served[0]


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    """A connection to it."""
    with Wire(port) as found:
        yield found


def assert_refused(answer: RawAnswer, status: int = 431, code: str = "REQUEST_TOO_LARGE") -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["connection"] == "close"
    assert "date" in answer.headers
    [error] = json.loads(answer.body)["errors"]
    assert error["extensions"] == {"code": code}


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def counted(count: int) -> bytes:
    lines = "".join(f"h{number}: v\r\n" for number in range(count))
    return f"GET /x HTTP/1.1\r\n{lines}\r\n".encode()


@pytest.mark.parametrize("size", [100_000, 1000, 1])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_largest_head_is_read(wire: Wire, size: int, method: str) -> None:
    """A head of exactly the limit is answered, however it is cut, and again on the connection."""
    for _ in range(2):
        wire.send(*pieces(head_of(LIMIT, method=method), size))
        assert wire.read().seen["method"] == method


@pytest.mark.parametrize("size", [100_000, 1000, 1])
def test_larger_head_is_refused(wire: Wire, app: Seen, size: int) -> None:
    """One byte more is 431 and the end of the connection, however it is cut."""
    wire.send(*pieces(head_of(LIMIT + 1), size))
    assert_refused(wire.read())
    assert wire.is_ended()
    assert app.begun == 0


@pytest.mark.parametrize("size", [100_000, 100])
def test_headers_are_counted(port: int, size: int) -> None:
    """A hundred headers are read, one more is refused, however they are cut."""
    with Wire(port) as wire:
        wire.send(*pieces(counted(MAX_HEADERS), size))
        assert len(wire.read().seen["headers"]) == MAX_HEADERS
        wire.send(*pieces(counted(MAX_HEADERS + 1), size))
        assert_refused(wire.read())
        assert wire.is_ended()


@pytest.mark.parametrize(
    "start",
    [
        b"GET /x HTTP/1.1\r\nhuge: ",
        b"GET /x HTTP/1.1\r\n",
        b"GET /",
        b"GET /x?query=",
        b"POST /healthz HTTP/1.1\r\nhost: facet\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("piece", [b"p" * 16_384, b"h: v\r\n" * 2730, b" " * 16_384])
def test_endless_head_is_refused(wire: Wire, app: Seen, start: bytes, piece: bytes) -> None:
    """A head without end is refused while it is being sent; nothing of it reaches anybody."""
    wire.send(start)
    assert wire.send_until_answered(piece, 100_000_000) < BUFFERED
    answer = wire.read()
    assert answer.status in (400, 431)
    assert app.begun == 0


@pytest.mark.parametrize(
    "unfinished", [b"GET /" + b"u" * LIMIT, b"GET / HTTP/1.1\r\nx:" + b" " * LIMIT, b"\r\n" * LIMIT]
)
def test_unfinished_line_is_refused(wire: Wire, unfinished: bytes) -> None:
    """A line over the limit is refused although its end never comes."""
    wire.send(unfinished)
    assert_refused(wire.read())


def test_long_url_is_refused(wire: Wire) -> None:
    """The URL is part of the head."""
    wire.send(b"GET /" + b"u" * LIMIT + b" HTTP/1.1\r\nhost: facet\r\n\r\n")
    assert_refused(wire.read())
    assert wire.is_ended()


def test_refusal_outlives_late_bytes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were under way do not reset the connection, but are not read for ever."""
    monkeypatch.setattr(protocol, "LINGER_S", 60)
    wire.send(head_of(LIMIT + 1))
    assert_refused(wire.read())
    assert wire.is_ended()
    wire.send(*[b"p" * 1024] * (LINGER_BYTES // 1024))
    with pytest.raises(ConnectionError):
        wire.send(*[b"p" * 65_536] * (BUFFERED // 65_536))


def test_lingering_ends_by_itself(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused sender that stays and sends little is let go in time."""
    monkeypatch.setattr(protocol, "LINGER_S", 0.01)
    wire.send(head_of(LIMIT + 1))
    assert_refused(wire.read())
    assert wire.is_let_go()


@pytest.mark.parametrize("size", [100_000, 1000, 7, 1])
def test_trailers_have_no_effect(wire: Wire, size: int) -> None:
    """What comes after a chunked body is read and kept out of this request and of the next."""
    wire.send(*pieces(CHUNKED + b"0\r\n" + TRAILERS + b"\r\n" + PLAIN, size))
    chunked, plain = wire.read().seen, wire.read().seen
    assert chunked["body"] == "body"
    assert chunked["headers"] == [
        ["host", "facet"],
        ["content-type", "application/json"],
        ["transfer-encoding", "chunked"],
    ]
    assert (plain["path"], plain["headers"]) == ("/plain", [["host", "facet"]])


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (CHUNKED + b"0\r\n", b"trailer: v\r\n" * 1000),
        (CHUNKED + b"0\r\ntrailer: ", b"v" * 16_384),
        (CHUNKED + b"5;extension=", b"v" * 16_384),
    ],
)
def test_endless_framing_is_refused(
    wire: Wire, app: Seen, start: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trailers or a chunk's size line without end close the connection and free the request."""
    monkeypatch.setattr(protocol, "LINGER_S", 60)
    wire.send(start)
    assert wire.send_until_answered(piece, 100_000_000) < BUFFERED
    assert_refused(wire.read())
    assert wire.is_ended()
    assert app.left.wait(TIMEOUT_S)
    assert app.begun == 1


def test_answered_body_is_not_answered_twice() -> None:
    """Endless trailers of a request that has its answer only end the connection."""
    with echoing(_protocol(LIMIT), Seen(answer_now=True)) as port, Wire(port) as wire:
        wire.send(CHUNKED)
        assert wire.read().status == 200
        wire.send(b"0\r\n", b"trailer: v\r\n" * 1000)
        assert wire.is_ended()


@pytest.mark.parametrize("size", [100_000, 1000])
def test_trailers_count_for_themselves(wire: Wire, size: int) -> None:
    """Trailers up to the limit leave the next request on the connection its whole limit."""
    trailers = b"0\r\ntrailer: " + b"t" * (LIMIT - 100) + b"\r\n\r\n"
    for _ in range(2):
        wire.send(*pieces(CHUNKED + trailers + head_of(LIMIT), size))
        assert wire.read().seen["body"] == "body"
        assert wire.read().seen["path"] == "/x"


def test_small_chunks_are_no_framing(wire: Wire) -> None:
    """A body in chunks of one byte has more framing than the limit, and is read."""
    wire.send(CHUNKED, b"1\r\nx\r\n" * LIMIT, b"0\r\n\r\n")
    assert wire.read().seen["body"] == "body" + "x" * LIMIT


def test_bodies_are_not_counted(wire: Wire) -> None:
    """A body larger than the limit of heads is the application's to judge."""
    head = b"POST /x HTTP/1.1\r\nhost: facet\r\ncontent-length: 300000\r\n\r\n"
    for _ in range(2):
        wire.send(head + b"b" * 300_000)
        assert len(wire.read().seen["body"]) == 300_000


def test_pipelined_requests_are_counted_alone(wire: Wire) -> None:
    """Requests in one segment each have a limit, and headers, of their own."""
    heads = [head_of(LIMIT - 10, f"/{number}") for number in range(20)]
    wire.send(b"".join(heads) + CHUNKED + b"0\r\n\r\n" + PLAIN)
    found = [wire.read().seen for _ in range(22)]
    paths = [f"/{number}" for number in range(20)]
    assert [seen["path"] for seen in found] == [*paths, "/chunked", "/plain"]
    assert [len(seen["headers"]) for seen in found] == [*[2] * 20, 3, 1]


def test_refusal_never_overtakes(wire: Wire) -> None:
    """Where an earlier answer is owed, the connection ends instead of answering out of turn."""
    wire.send(CHUNKED + b"0\r\n\r\n" + head_of(LIMIT + 1))
    with pytest.raises(EOFError):
        wire.read()


@pytest.mark.parametrize("at", range(1, len(PLAIN)))
def test_heads_may_come_slowly(wire: Wire, at: int) -> None:
    """A head cut at any byte is read like a whole one."""
    wire.send(PLAIN[:at], PLAIN[at:])
    assert wire.read().seen["headers"] == [["host", "facet"]]


def test_continue_is_still_sent(wire: Wire) -> None:
    """A client that waits for 100 Continue gets it, then its answer."""
    wire.send(b"POST /x HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    assert wire.read().status == 100
    wire.send(b"ok")
    assert wire.read().seen["body"] == "ok"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"CONNECT host:443 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        CHUNKED + b"zz\r\n",
    ],
)
def test_nonsense_is_refused_in_json(wire: Wire, sent: bytes) -> None:
    """What is no HTTP/1.1 is told so in the shape clients parse."""
    wire.send(sent)
    assert_refused(wire.read(), 400, "BAD_REQUEST")
    assert wire.is_ended()


def test_whole_server_is_a_target(wire: Wire) -> None:
    """`OPTIONS *` reaches the application, which has an answer for paths it does not know."""
    wire.send(b"OPTIONS * HTTP/1.1\r\nhost: facet\r\n\r\n")
    assert (wire.read().seen["path"]) == "/"


def test_uvicorn_is_as_expected() -> None:
    """The parts of uvicorn that the protocol leans on are where they were."""
    source = inspect.getsource(HttpToolsProtocol)
    assert "httptools.HttpRequestParser(self)" in source
    received = inspect.getsource(HttpToolsProtocol.data_received)
    assert received.index("HttpParserError") < received.index("send_400_response")
    assert "self.url += url" in inspect.getsource(HttpToolsProtocol.on_url)
    on_header = inspect.getsource(HttpToolsProtocol.on_header)
    for part in ("name = name.lower()", 'b"expect"', "self.headers.append((name, value))"):
        assert part in on_header
    for name in ("url", "cycle", "pipeline", "parser", "loop", "logger", "server_state"):
        assert f"self.{name}" in source
    cycle = inspect.getsource(RequestResponseCycle)
    for name in ("disconnected", "response_started", "response_complete", "message_event"):
        assert f"self.{name}" in cycle
    assert hasattr(httptools.HttpRequestParser, "get_method")
