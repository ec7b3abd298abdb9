"""bff/edge/admission.py: who is let in, before anything of a request is parsed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from bff.access.limits import Limits
from bff.access.load import Load
from bff.config import AdmissionConfig, LimitsConfig
from bff.edge.admission import Entrance
from bff.edge.routes import routes
from bff.errors import RateLimited
from bff.request import OperationRequest, Priority, Viewer
from bff.response.envelope import Envelope, refusal
from tests.unit.bff.access.test_limits import OFF
from tests.unit.bff.edge.fakes import (
    GRAPHQL,
    JSON,
    FakePipeline,
    Told,
    all_ready,
    call,
    code,
    executed,
    settings,
)

UNPARSED = b"{ this is no JSON"


async def nothing_to_scrape() -> CollectorRegistry:
    return CollectorRegistry()


class Edge:
    """An edge with limits and a load of its own."""

    def __init__(self, load: dict[str, int] | None = None, **limits: int) -> None:
        self.refused: list[str] = []
        self.load = Load(AdmissionConfig(**(load or {})))
        self.limits = Limits(LimitsConfig(**{**OFF, **limits}), self.refused.append)
        self.pipeline, self.told = FakePipeline(), Told()
        given = settings(trusted_proxies=["127.0.0.1"])
        self.app = Starlette(
            routes=routes(
                self.pipeline,
                given,
                all_ready,
                scrape=nothing_to_scrape,
                telemetry=self.told,
                entrance=Entrance(self.load, self.limits, edge=given.edge),
            )
        )
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app), base_url="http://facet"
        )

    async def post(self, content: Any = b'{"documentId":"x"}', **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            "/graphql", content=content, headers={"content-type": "application/json", **named}
        )


def batch(size: int) -> bytes:
    return b"[" + b",".join([b'{"documentId":"x"}'] * size) + b"]"


@pytest.mark.parametrize("media", [JSON, GRAPHQL])
async def test_limited_requests_are_not_parsed(media: str) -> None:
    """Beyond the limit of its address a request is 429 in both media types, whatever it holds, and
    says when to come back and how the limit stands."""
    edge = Edge(address_per_minute=60, address_burst=2)
    assert [(await edge.post(UNPARSED)).status_code for _ in range(2)] == [400, 400]
    response = await edge.post(UNPARSED, accept=media)
    assert (response.status_code, code(response)) == (429, "RATE_LIMITED")
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    wait_ms = response.json()["errors"][0]["extensions"]["retryAfterMs"]
    assert 1_000 <= wait_ms <= int(response.headers["retry-after"]) * 1_000 < wait_ms + 1_000
    assert response.headers["ratelimit-policy"] == '"address";q=2;w=2'
    assert response.headers["ratelimit"] == '"address";r=0;t=2'
    assert edge.refused == ["address"]
    assert edge.told.reports[-1].codes == ("RATE_LIMITED",)
    assert edge.load.in_flight == 0


async def test_headers_do_not_move_the_address() -> None:
    """A client that rotates X-Forwarded-For before the proxy's own entry, or its device id, stays
    at its address; clients behind the trusted proxy are told apart."""
    edge = Edge(address_per_minute=60, address_burst=5)
    statuses = [
        (
            await edge.post(
                x_forwarded_for=f"203.0.113.{number}, 198.51.100.1", x_device_id=f"device-{number}"
            )
        ).status_code
        for number in range(40)
    ]
    assert statuses == [200] * 5 + [429] * 35
    assert (await edge.post(x_forwarded_for="198.51.100.2")).status_code == 200


async def test_members_take_each_one() -> None:
    """A JSON array takes as many operations as it has members: no way to ask for more."""
    edge = Edge(address_per_minute=60, address_burst=10)
    statuses = [(await edge.post(batch(4))).status_code for _ in range(4)]
    assert statuses[:3] == [200, 200, 429]
    assert len(edge.pipeline.requests) == 8
    assert edge.load.in_flight == 0


async def test_known_tokens_pass_a_flood() -> None:
    """Where strangers used up an address, a token that was right before still gets in."""
    edge = Edge(address_per_minute=60, address_burst=1)
    edge.limits.knows = {"Bearer good": "anna"}.get
    await edge.post()
    assert (await edge.post()).status_code == 429
    assert (await edge.post(authorization="Bearer forged")).status_code == 429
    assert (await edge.post(authorization="Bearer good")).status_code == 200
    assert [one.by_account for one in edge.pipeline.arrivals] == [False, True]


async def test_known_tokens_are_charged_unparsed() -> None:
    """Who gets in by his token where the address ran out takes from his account, members each,
    though what he sends is no operation: a token is no way around every limit."""
    edge = Edge(address_per_minute=60, address_burst=1, user_per_minute=60, user_burst=5)
    edge.limits.knows = {"Bearer good": "anna"}.get
    await edge.post()
    good = {"authorization": "Bearer good"}
    assert (await edge.post(batch(3), **good)).status_code == 200
    assert [(await edge.post(UNPARSED, **good)).status_code for _ in range(3)] == [400, 400, 429]
    assert edge.refused[-1] == "user"


async def test_failed_answers_leave_nothing_behind() -> None:
    """How a caller stands is forgotten with an answer that breaks: nobody else is told it."""
    edge = Edge(user_per_minute=60, user_burst=1)

    def breaking(_: object) -> Envelope:
        edge.limits.spend(edge.pipeline.arrivals[-1], Viewer("anna", None, None, 0, ()), 1)
        assert edge.limits.nearly
        raise RuntimeError("broken")

    edge.pipeline.answering = breaking
    assert (await edge.post()).status_code == 500
    assert edge.limits.nearly == {}


async def test_arrival_says_where_and_who_waits() -> None:
    """The pipeline is told the address, and the priority where the client names one."""
    edge = Edge(address_per_minute=60)
    await edge.post(x_forwarded_for="198.51.100.1")
    await edge.post(priority="u=5")
    await edge.post(sec_purpose="prefetch")
    first, urgent, prefetch = edge.pipeline.arrivals
    assert (first.address, first.priority, first.says_priority) == (
        "198.51.100.1",
        Priority.USER,
        False,
    )
    assert (urgent.priority, urgent.says_priority) == (Priority.PREFETCH, True)
    assert prefetch.priority is Priority.PREFETCH


@pytest.mark.parametrize(
    ("asked", "most_s", "least_s"),
    [("200", 0.2, 0.1), ("1", 0.001, 0.0), ("9000", 1.5, 1.3)],
)
async def test_clients_shorten_the_deadline(asked: str, most_s: float, least_s: float) -> None:
    """`x-deadline-ms` makes the deadline earlier, never later."""
    edge = Edge()
    left: list[float] = []

    def answering(_: object) -> Envelope:
        left.append(edge.pipeline.arrivals[-1].deadline.remaining())
        return executed()

    edge.pipeline.answering = answering
    await edge.post(x_deadline_ms=asked)
    assert least_s <= left[0] <= most_s


class Held:
    """A pipeline that answers when it is told."""

    def __init__(self, edge: Edge) -> None:
        self.go = asyncio.Event()
        self.inside = 0
        edge.pipeline.answer = self.answer  # type: ignore[method-assign]

    async def answer(self, request: OperationRequest) -> Envelope:
        self.inside += 1
        await self.go.wait()
        return executed()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def test_no_place_is_503_unparsed() -> None:
    """Who finds no place in time is shed: 503, Retry-After, no JSON read; health is answered all
    the while, and everybody once there is room."""
    edge = Edge({"min_in_flight": 2, "max_in_flight": 2, "max_wait_ms": 30})
    held = Held(edge)
    edge.load.begin()
    try:
        inside = [asyncio.create_task(edge.post()) for _ in range(2)]
        await until(lambda: held.inside == 2)
        shed = await edge.post(UNPARSED, accept=GRAPHQL)
        assert (shed.status_code, code(shed)) == (503, "OVERLOADED")
        assert shed.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
        assert shed.headers["cache-control"] == "no-store"
        wait_ms = shed.json()["errors"][0]["extensions"]["retryAfterMs"]
        assert 1_000 <= wait_ms <= int(shed.headers["retry-after"]) * 1_000 <= 3_000
        assert edge.told.reports[-1].quiet
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await edge.http.get(path)).status_code == 200
        held.go.set()
        assert [(await one).status_code for one in inside] == [200, 200]
        assert (await edge.post()).status_code == 200
    finally:
        edge.load.end()
    assert edge.load.in_flight == 0


async def test_the_wait_counts_in_the_deadline() -> None:
    """Who waited at the entrance has that much less time to be answered."""
    edge = Edge({"min_in_flight": 1, "max_in_flight": 1, "max_wait_ms": 5_000})
    held = Held(edge)
    first = asyncio.create_task(edge.post())
    await until(lambda: held.inside == 1)
    second = asyncio.create_task(edge.post(x_deadline_ms="1400"))
    await until(lambda: edge.load.waiting == 1)
    await asyncio.sleep(0.2)
    held.go.set()
    assert {(await first).status_code, (await second).status_code} == {200}
    whole, rest = edge.pipeline.arrivals
    assert whole.deadline.at + 0.2 - 0.25 < rest.deadline.at < whole.deadline.at + 0.05


async def test_slow_senders_hold_no_place() -> None:
    """A place is taken once the body is there: who sends slowly, or never, holds none."""
    edge = Edge({"min_in_flight": 1, "max_in_flight": 1})
    half = {"type": "http.request", "body": b"{", "more_body": True}
    stuck = asyncio.Event()

    async def receive() -> Any:
        if not stuck.is_set():
            stuck.set()
            return half
        return await asyncio.Event().wait()

    async def send(_: object) -> None:
        """Nobody reads."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "headers": [(b"content-type", b"application/json")],
        "query_string": b"",
    }
    slow = [asyncio.create_task(edge.app(dict(scope), receive, send)) for _ in range(5)]
    await stuck.wait()
    assert edge.load.in_flight == 0
    assert (await edge.post()).status_code == 200
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_clients_that_left_hold_no_place() -> None:
    """Neither a client gone in the middle of its body nor a fault of ours keeps a place."""
    edge = Edge({"min_in_flight": 1, "max_in_flight": 1})
    await call(edge.app, {"type": "http.request", "body": b"{", "more_body": True})

    def broken(_: object) -> Envelope:
        raise RuntimeError("a fault")

    edge.pipeline.answering = broken
    assert (await edge.post()).status_code == 500
    assert edge.load.in_flight == 0


async def test_limits_of_accounts_are_429_too() -> None:
    """What the pipeline refuses by an account's limit has the same status and headers; in an array
    the member alone is refused, and the array says nothing of one member's limit in its status."""
    edge = Edge(user_per_minute=60, user_burst=2)
    anna = Viewer("anna", None, None, 0, ())

    def limited(_: object) -> Envelope:
        try:
            edge.limits.spend(edge.pipeline.arrivals[-1], anna, 1)
        except RateLimited as error:
            return refusal(error)
        return executed(cache="private")

    edge.pipeline.answering = limited
    first, second, third = [await edge.post() for _ in range(3)]
    assert [one.status_code for one in (first, second, third)] == [200, 200, 429]
    assert "ratelimit" not in first.headers
    assert second.headers["ratelimit"] == '"user";r=0;t=2'
    assert third.headers["ratelimit-policy"] == '"user";q=2;w=2'
    assert int(third.headers["retry-after"]) >= 1
    together = await edge.post(batch(3))
    assert together.status_code == 200
    assert [one["errors"][0]["extensions"]["code"] for one in together.json()] == [
        "RATE_LIMITED"
    ] * 3
    assert edge.limits.nearly == {}


async def test_public_answers_say_nothing_of_limits() -> None:
    """What a shared cache may keep tells nobody's limits."""
    edge = Edge(user_per_minute=60, user_burst=1)
    anna = Viewer("anna", None, None, 0, ())

    def public(_: object) -> Envelope:
        edge.limits.spend(edge.pipeline.arrivals[-1], anna, 1)
        return executed(cache="public")

    edge.pipeline.answering = public
    response = await edge.http.get("/graphql", params={"documentId": "x"})
    assert "public" in response.headers["cache-control"]
    assert not [name for name in response.headers if re.match("ratelimit", name)]
    assert edge.limits.nearly == {}
