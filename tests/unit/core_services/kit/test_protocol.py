"""core_services/kit/protocol.py over real sockets: the gateway's text, with problem details."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core_services.kit.protocol import MAX_HEADERS
from core_services.kit.server import LARGEST_HEAD, _protocol
from tests.harness.raw_http import RawAnswer, Seen, Wire, echoing, head_of

_ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the limits of services."""
    with echoing(_protocol(), Seen()) as found:
        yield found


def problem(answer: RawAnswer) -> tuple[int, str]:
    """Check the form of a refusal; return its status and code."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = json.loads(answer.body)
    assert (told["status"], told["type"][:18]) == (answer.status, "urn:facet:problem:")
    return answer.status, told["code"]


def test_both_protocols_are_one() -> None:
    """What tests/unit/bff/edge/test_protocol.py proves of one copy holds for the other."""
    copies = ("bff/edge/protocol.py", "core_services/kit/protocol.py")
    first, second = [(_ROOT / copy).read_text(encoding="utf-8") for copy in copies]
    assert first == second


@pytest.mark.parametrize("size", [100_000, 1000])
def test_head_within_limit_only(port: int, size: int) -> None:
    """A head of 32 KiB is read, one byte more is refused, however they are cut."""
    whole, larger = head_of(LARGEST_HEAD), head_of(LARGEST_HEAD + 1)
    with Wire(port) as wire:
        wire.send(*[whole[at : at + size] for at in range(0, len(whole), size)])
        assert wire.read().status == 200
        wire.send(*[larger[at : at + size] for at in range(0, len(larger), size)])
        assert problem(wire.read()) == (431, "REQUEST_TOO_LARGE")
        assert wire.is_ended()


def test_headers_are_counted(port: int) -> None:
    """A hundred headers are read, one more is refused."""
    with Wire(port) as wire:
        wire.send(b"GET / HTTP/1.1\r\n" + b"h: v\r\n" * MAX_HEADERS + b"\r\n")
        assert wire.read().status == 200
        wire.send(b"GET / HTTP/1.1\r\n" + b"h: v\r\n" * (MAX_HEADERS + 1) + b"\r\n")
        assert problem(wire.read()) == (431, "REQUEST_TOO_LARGE")


def test_endless_url_is_refused(port: int) -> None:
    """A URL without end is refused while it is being sent."""
    with Wire(port) as wire:
        wire.send(b"GET /")
        assert wire.send_until_answered(b"u" * 16_384, 100_000_000) < 16_000_000
        assert problem(wire.read()) == (431, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("size", [100_000, 1])
def test_trailers_vouch_for_nobody(port: int, size: int) -> None:
    """A credential or a viewer in trailers is not read, for this call or the next."""
    call = b"POST /x HTTP/1.1\r\nhost: facet\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    trailers = b"authorization: Bearer x\r\nx-viewer: y\r\nidempotency-key: k\r\n\r\n"
    following = b"GET /next HTTP/1.1\r\nhost: facet\r\n\r\n"
    whole = call + trailers + following
    with Wire(port) as wire:
        wire.send(*[whole[at : at + size] for at in range(0, len(whole), size)])
        names = [[name for name, _ in wire.read().seen["headers"]] for _ in range(2)]
    assert names == [["host", "transfer-encoding"], ["host"]]


def test_nonsense_is_a_problem(port: int) -> None:
    """What is no HTTP/1.1 is answered in problem details."""
    with Wire(port) as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert problem(wire.read()) == (400, "BAD_REQUEST")
