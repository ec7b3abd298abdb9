"""A registry in an object store: create-if-absent over HTTP, and what slowness costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from persisted_queries.problem import StoreGoneError
from persisted_queries.store import AT_ONCE, Store, StoreUrlError
from tests.harness.registries import Made, query


class Bucket(ThreadingHTTPServer):
    """As much of S3 as a registry uses: GET, and PUT with `If-None-Match: *`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.let_answer = threading.Event()
        self.let_answer.set()
        self.lose_next_answer = False
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.let_answer.wait()
        found = self.server.objects.get(self.path)
        self._answer(404 if found is None else 200, found or b"")

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            taken = self.path in self.server.objects
            if taken and self.headers.get("if-none-match") == "*":
                self._answer(412)
                return
            self.server.objects[self.path] = data
        if self.server.lose_next_answer:
            self.server.lose_next_answer = False
            self._answer(503)
            return
        self._answer(200)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("etag", '"1"')
        self.send_header("last-modified", "Fri, 20 Nov 2026 12:00:00 GMT")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.let_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_s3_holds_a_registry(bucket: Bucket) -> None:
    """A release published into a bucket is read from it; a taken number is not written again."""
    made = Made(Store.of("s3://bucket/registry"))
    made.publish("1.0+1", query("a"), query("b"))
    reader = made.reader()
    assert len(reader.manifest(reader.state.releases["1.0+1"].manifest)) == 2
    before = dict(bucket.objects)
    assert not made.store.create("log/ios/0000000001", b"other")
    assert bucket.objects == before


def test_lost_answer_is_no_loss(bucket: Bucket) -> None:
    """A write whose answer was lost, and that was tried again, counts as written once."""
    made = Made(Store.of("s3://bucket/registry"))
    bucket.lose_next_answer = True
    assert made.store.create("log/ios/0000000001", b"mine")
    assert not bucket.lose_next_answer
    assert bucket.objects["/bucket/registry/log/ios/0000000001"] == b"mine"


def test_slow_store_is_given_up(bucket: Bucket) -> None:
    """A store that does not answer is a problem after its time limit, and costs no state."""
    made = Made(Store.of("s3://bucket/registry", timeout_s=0.3))
    made.publish("1.0+1", query("a"))
    reader = made.reader()
    bucket.let_answer.clear()
    asked, began = bucket.asked, time.monotonic()
    assert not reader.refresh()
    assert bucket.asked > asked
    assert time.monotonic() - began < 20  # far beyond the limit, far below a hang
    assert [one.kind for one in reader.problems] == ["gone"]
    with pytest.raises(StoreGoneError):
        reader.document("0" * 64)
    assert list(reader.state.releases) == ["1.0+1"]
    bucket.let_answer.set()
    reader.refresh()
    assert reader.problems == ()


def test_hanging_store_is_not_asked_on_and_on(bucket: Bucket) -> None:
    """Once a store has left that many questions unanswered, the rest are given up without asking:
    who wants thousands waits for some. It is asked again a moment later."""
    store = Store.of("s3://bucket/registry", timeout_s=0.3)
    bucket.let_answer.clear()
    asked = bucket.asked
    found = dict(store.get_many(f"documents/{number}" for number in range(20 * AT_ONCE)))
    assert len(found) == 20 * AT_ONCE
    assert all(isinstance(one, StoreGoneError) for one in found.values())
    assert 0 < bucket.asked - asked <= 2 * AT_ONCE  # each may be asked twice
    bucket.let_answer.set()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            assert store.get("documents/1") is None
            return
        except StoreGoneError:
            time.sleep(0.05)
    pytest.fail("the store is not asked again")


@pytest.mark.parametrize("url", ["ftp://host/x", "s3:///nothing", "gs://"])
def test_wrong_urls_are_named(url: str) -> None:
    """A URL that names no store is refused with the URL in the message."""
    with pytest.raises(StoreUrlError, match=url.replace("/", ".")):
        Store.of(url)
