"""The gateway's URLs, as Starlette routes over raw ASGI endpoints; the last one takes the rest."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from bff.config import Settings
from bff.edge.admission import Entrance
from bff.edge.graphql import DocumentEndpoint, GraphqlEndpoint, IdeEndpoint
from bff.edge.health import Metrics, Probe, Readiness, UnknownPath
from bff.edge.interfaces import EdgeTelemetry, Pipeline, Ready, Scrape


def routes(
    pipeline: Pipeline,
    settings: Settings,
    ready: Ready,
    *,
    scrape: Scrape,
    telemetry: EdgeTelemetry | None = None,
    draining: Callable[[], bool] = lambda: False,
    operations: bool = True,
    entrance: Entrance | None = None,
) -> list[Route]:
    """Every route of one platform's BFF, the busiest first.

    `ready` gives each readiness check's word, "ok" or what is wrong; `draining` tells that the
    process is about to stop. Without `operations` what only operators should know is left out:
    /metrics, and the words of /readyz. The list ends with a catch-all 404: put routes of other
    rooms (such as WebSocket ones) before it or keep to another scope type.
    """
    graphql = (
        IdeEndpoint("graphql", pipeline, settings, telemetry, entrance, ide=_ide())
        if settings.development
        else GraphqlEndpoint("graphql", pipeline, settings, telemetry, entrance)
    )
    return [
        Route("/graphql", graphql),
        Route(
            "/documents/{id}/{operationName}",
            DocumentEndpoint("documents", pipeline, settings, telemetry, entrance),
        ),
        *operator_routes(ready, scrape, draining, open_to_all=not operations),
    ]


def operator_routes(
    ready: Ready, scrape: Scrape, draining: Callable[[], bool], *, open_to_all: bool = False
) -> list[Route]:
    """Alive, ready, metrics; all that a port of their own answers."""
    metrics = [] if open_to_all else [Route("/metrics", Metrics("metrics", scrape))]
    return [
        Route("/healthz", Probe("healthz")),
        Route("/readyz", Readiness("readyz", ready, draining, detailed=not open_to_all)),
        *metrics,
        Route("/{path:path}", UnknownPath("unknown")),
    ]


def _ide() -> str:
    """GraphiQL as Strawberry ships it; imported only where it is served, never in production."""
    from strawberry.http.ides import get_graphql_ide_html

    return get_graphql_ide_html("graphiql")
