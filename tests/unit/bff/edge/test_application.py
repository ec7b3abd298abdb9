"""bff/edge/application.py: the short way to fixed URLs answers as the router would."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from bff.config import EdgeConfig
from bff.edge.application import Application
from bff.edge.cross_origin import cross_origin
from bff.edge.health import Probe, UnknownPath

ORIGIN = "https://app.example"


class Named:
    """An endpoint that answers with its name and what the router told it."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = f"{self._name} {scope.get('path_params', {})}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def application(*origins: str) -> Application:
    routes = [
        Route("/graphql", Named("graphql")),
        Route("/documents/{id}/{name}", Named("documents")),
        Route("/{path:path}", Named("unknown")),
    ]
    return Application(routes, cross_origin(EdgeConfig(cors_origins=origins)))


def client(app: Application) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://facet")


@pytest.mark.parametrize("origins", [(), (ORIGIN,)], ids=["alone", "cross-origin"])
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/graphql", "graphql {}"),
        ("/graphql/", "unknown {'path': 'graphql/'}"),
        ("/documents/a/B", "documents {'id': 'a', 'name': 'B'}"),
        ("/nothing", "unknown {'path': 'nothing'}"),
        ("/", "unknown {'path': ''}"),
    ],
)
async def test_paths_reach_their_endpoint(origins: tuple[str, ...], path: str, answer: str) -> None:
    """A path, fixed or not, reaches the endpoint its route names, parameters and all."""
    assert (await client(application(*origins)).get(path)).text == answer


async def test_fixed_paths_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixed URL costs no search through the routes."""
    searched: list[str] = []

    async def searching(_: Router, scope: Scope, *__: Any) -> None:
        searched.append(scope["path"])

    app = application()
    monkeypatch.setattr(Router, "__call__", searching)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for path in ("/graphql", "/documents/a/B"):
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await app(scope, None, send)  # type: ignore[arg-type]
    assert searched == ["/documents/a/B"]
    assert sent[1]["body"] == b"graphql {}"


async def test_middleware_is_never_passed_by() -> None:
    """A preflight for a fixed URL is answered by the cross-origin rules, not by its endpoint."""
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answer = await client(application(ORIGIN)).options("/graphql", headers=asked)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "graphql" not in answer.text


async def test_operators_routes_stay() -> None:
    """The real endpoints answer by this way too."""
    routes = [Route("/healthz", Probe("healthz")), Route("/{path:path}", UnknownPath("unknown"))]
    served = client(Application(routes))
    assert (await served.get("/healthz")).json() == {"status": "ok"}
    assert (await served.get("/nothing")).status_code == 404
