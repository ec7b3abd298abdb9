"""The operator's routes: alive, ready, metrics; and the answer to paths that do not exist."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from starlette.types import Receive

from bff.edge.answer import Answer, error_answer, json_answer
from bff.edge.endpoint import Endpoint
from bff.edge.head import Head
from bff.edge.interfaces import Ready, Scrape
from bff.telemetry.logs import logger

log = logger(__name__)
_ALLOW = (b"allow", b"GET, HEAD")


class Probe(Endpoint):
    """A read-only route whose answer does not depend on the request's body."""

    async def answer(self, head: Head, receive: Receive) -> Answer:
        if not head.safe:
            return error_answer(405, "METHOD_NOT_ALLOWED", "this URL answers GET only", _ALLOW)
        return await self.probe(head)

    async def probe(self, head: Head) -> Answer:
        """Alive: this process runs its event loop. Asks nobody else, so that a broken dependency
        never gets the whole fleet restarted."""
        return json_answer(200, {"status": "ok"})


class Readiness(Probe):
    """Whether to send traffic here: every check says "ok" and no drain has begun."""

    def __init__(
        self, route: str, ready: Ready, draining: Callable[[], bool], *, detailed: bool = True
    ) -> None:
        super().__init__(route)
        self._ready = ready
        self._draining = draining
        self._detailed = detailed

    async def probe(self, head: Head) -> Answer:
        """200 or 503 with each check's word, where operators alone can read them. A check that
        raises counts as failed."""
        if self._draining():
            return self._told(503, "draining", {})
        try:
            checks = await self._ready()
        except Exception:
            log.exception("readiness_failed", request_id=head.request_id)
            checks = {"readiness": "the check itself failed; see the log"}
        if all(word == "ok" for word in checks.values()):
            return self._told(200, "ready", checks)
        return self._told(503, "not ready", checks)

    def _told(self, status: int, word: str, checks: dict[str, str]) -> Answer:
        told = {"status": word, "checks": checks} if self._detailed else {"status": word}
        return json_answer(status, told)


class Metrics(Probe):
    """What is scraped in the Prometheus or OpenMetrics text format, by `Accept`."""

    def __init__(self, route: str, scrape: Scrape) -> None:
        super().__init__(route)
        self._scrape = scrape

    async def probe(self, head: Head) -> Answer:
        try:
            found = await self._scrape()
        except OSError:
            # One worker's counters alone would look as if all had gone backwards.
            return error_answer(503, "INTERNAL", "the workers' metrics cannot be gathered now")
        encode, content_type = choose_encoder(head.headers.get(b"accept", b"").decode("latin-1"))
        headers = [
            (b"content-type", content_type.encode("latin-1")),
            (b"cache-control", b"no-store"),
        ]
        return Answer(200, headers, encode(found))


class UnknownPath(Endpoint):
    """404 in JSON, in the shape clients parse."""

    async def answer(self, head: Head, receive: Receive) -> Answer:
        return error_answer(404, "NOT_FOUND", "no such path; GraphQL is answered at /graphql")
