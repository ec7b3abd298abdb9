"""The gateway's URLs, as Starlette routes over raw ASGI endpoints; the last one takes the rest."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from starlette.routing import Route

from bff.config import Settings
from bff.edge.graphql import DocumentEndpoint, GraphqlEndpoint, IdeEndpoint
from bff.edge.health import Metrics, Probe, Readiness, UnknownPath
from bff.edge.interfaces import EdgeTelemetry, Pipeline, Ready


def routes(
    pipeline: Pipeline,
    settings: Settings,
    ready: Ready,
    *,
    registry: CollectorRegistry,
    telemetry: EdgeTelemetry | None = None,
    draining: Callable[[], bool] = lambda: False,
) -> list[Route]:
    """Every route of one platform's BFF, the busiest first.

    `ready` gives each readiness check's word, "ok" or what is wrong; `draining` tells that the
    process is about to stop. The list ends with a catch-all 404: put routes of other rooms (such
    as WebSocket ones) before it or keep to another scope type.
    """
    graphql = (
        IdeEndpoint("graphql", pipeline, settings, telemetry, ide=_ide())
        if settings.development
        else GraphqlEndpoint("graphql", pipeline, settings, telemetry)
    )
    return [
        Route("/graphql", graphql),
        Route(
            "/documents/{id}/{operationName}",
            DocumentEndpoint("documents", pipeline, settings, telemetry),
        ),
        Route("/healthz", Probe("healthz")),
        Route("/readyz", Readiness("readyz", ready, draining)),
        Route("/metrics", Metrics("metrics", registry)),
        Route("/{path:path}", UnknownPath("unknown")),
    ]


def _ide() -> str:
    """GraphiQL as Strawberry ships it; imported only where it is served, never in production."""
    from strawberry.http.ides import get_graphql_ide_html

    return get_graphql_ide_html("graphiql")
