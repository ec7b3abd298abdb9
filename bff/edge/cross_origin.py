"""Browser apps on another origin (Fetch standard, CORS protocol); none unless settings name it."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from bff.config import EdgeConfig

METHODS = ("GET", "HEAD", "POST")
# What the clients of docs/clients.md send beyond the always allowed.
HEADERS = (
    "accept",
    "apollo-require-preflight",
    "apollographql-client-name",
    "apollographql-client-version",
    "authorization",
    "content-type",
    "graphql-client-name",
    "graphql-client-version",
    "idempotency-key",
    "priority",
    "traceparent",
    "x-app-build",
    "x-client-capabilities",
    "x-deadline-ms",
    "x-device-id",
    "x-request-id",
)
SHOWN = (
    "deprecation",
    "etag",
    "link",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "server-timing",
    "sunset",
    "x-request-id",
)
PREFLIGHT_MAX_AGE_S = 7200


def cross_origin(settings: EdgeConfig) -> list[Middleware]:
    """The middleware that answers preflights, or nothing: then no other origin may read."""
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=HEADERS,
            allow_credentials=settings.cookie_credential,
            expose_headers=SHOWN,
            max_age=PREFLIGHT_MAX_AGE_S,
        )
    ]
