"""An edge over an in-memory pipeline: what it was asked is kept, what it answers is given."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from bff.config import ClientConfig, EdgeConfig, Settings
from bff.edge.head import Head
from bff.edge.interfaces import AnswerReport, Scrape
from bff.edge.routes import routes
from bff.request import Arrival, OperationRequest
from bff.response.envelope import Envelope

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HASH = "ab" * 32

Answering = Callable[[OperationRequest], Envelope]


class GivenSettings(Settings):
    """Settings from arguments alone: no file and no environment of the machine."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings(
    *, environment: str = "production", client: ClientConfig | None = None, **edge: Any
) -> Settings:
    """Settings of a BFF with the given edge."""
    values: dict[str, Any] = {
        "environment": environment,
        "platforms": {},
        "edge": EdgeConfig(**edge),
        "client": client or ClientConfig(),
        "upstreams": {"services": {"accounts": {"url": "http://127.0.0.1:1"}}},
    }
    return GivenSettings(**values)


def executed(data: dict[str, Any] | None = None, **fields: Any) -> Envelope:
    """The envelope of an operation that ran."""
    return Envelope(data=data or {"home": {"title": "Hi"}}, executed=True, **fields)


@dataclass
class FakePipeline:
    """Answers every operation by `answering`; counts three upstream calls an exchange."""

    answering: Answering = field(default=lambda _: executed(cache="private"))
    arrivals: list[Arrival] = field(default_factory=list)
    requests: list[OperationRequest] = field(default_factory=list)
    upstream_calls: int = 3
    used: list[tuple[str, bool]] = field(default_factory=list)

    def open(self, arrival: Arrival) -> "FakePipeline":
        self.arrivals.append(arrival)
        return self

    def together(self) -> None:
        """What its operations hold is nobody's concern here."""

    async def answer(self, request: OperationRequest) -> Envelope:
        self.requests.append(request)
        self.used.append((request.document_id or "", False))
        return self.answering(request)


@dataclass
class Told:
    """Telemetry that keeps what it is told."""

    heads: list[Head] = field(default_factory=list)
    reports: list[AnswerReport] = field(default_factory=list)

    def on_request(self, head: Head) -> object:
        self.heads.append(head)
        return len(self.heads)

    def on_answer(self, begun: object, report: AnswerReport) -> None:
        assert begun == len(self.heads)
        self.reports.append(report)


async def all_ready() -> dict[str, str]:
    return {"schema": "ok"}


@dataclass
class Edge:
    """A served edge and all one may want to look at afterwards."""

    pipeline: FakePipeline
    told: Told
    registry: CollectorRegistry
    app: Starlette
    http: httpx2.AsyncClient

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        """POST /graphql with a JSON body; underscores in header names become dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/graphql", json=body, headers=named)

    async def get(self, path: str = "/graphql", *, accept: str = JSON, **p: Any) -> httpx2.Response:
        """GET with URL parameters."""
        return await self.http.get(path, params=p or None, headers={"accept": accept})


def edge(
    answering: Answering | None = None,
    *,
    told: Told | None = None,
    ready: Callable[[], Awaitable[dict[str, str]]] = all_ready,
    draining: Callable[[], bool] = lambda: False,
    scrape: Scrape | None = None,
    operations: bool = True,
    environment: str = "production",
    **edge_settings: Any,
) -> Edge:
    """An edge with these settings over a pipeline that answers by `answering`."""
    pipeline = FakePipeline(answering) if answering else FakePipeline()
    told = told or Told()
    registry = CollectorRegistry()

    async def own() -> CollectorRegistry:
        return registry

    app = Starlette(
        routes=routes(
            pipeline,
            settings(environment=environment, **edge_settings),
            ready,
            scrape=scrape or own,
            operations=operations,
            telemetry=told,
            draining=draining,
        )
    )
    http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://facet",
        headers={"accept-encoding": "identity"},
    )
    return Edge(pipeline, told, registry, app, http)


def code(response: httpx2.Response) -> str:
    """The code of an answer's only error."""
    (error,) = response.json()["errors"]
    assert error["message"]
    found = error["extensions"]["code"]
    assert isinstance(found, str)
    return found


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """A body sent in pieces, so without Content-Length."""
    for part in parts:
        yield part


async def call(
    app: Callable[[Scope, Receive, Send], Awaitable[None]], *got: Message
) -> list[Message]:
    """Run one raw POST /graphql whose client sends `got`; returns what was sent back."""
    incoming = list(got)
    outgoing: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        outgoing.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    return outgoing
