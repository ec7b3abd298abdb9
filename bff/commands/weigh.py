"""Bytes of operations as a running gateway serves them, compressed for their app.

The gateway runs on seed data, so that the same operation gives the same answer. One that it does
not know yet is sent as text, which needs its policy to be open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import zstandard

from bff.errors import ConfigError
from persisted_queries.manifest import ManifestOperation

TIMEOUT_S = 30
RUNS = 2  # what only a first answer has is not counted
CLIENT_NAME = "facet-publish"
# Codes that say: not known here, by this id.
NOT_KNOWN = ("DOCUMENT_", "RELEASE_", "PERSISTED_QUERY_")
SHOWN = 200


class NotWeighedError(Exception):
    """An operation that has no whole answer: why."""


class _NotKnownError(NotWeighedError):
    """The gateway does not know the document by its id."""


@dataclass(frozen=True)
class Scale:
    """A running gateway to ask: its URL, the viewer's token (None: signed out), and what the app
    accepts as encoding."""

    client: httpx2.Client
    url: str
    token: str | None
    accept_encoding: str

    def weigh(self, operation: ManifestOperation, variables: Mapping[str, Any]) -> int:
        """Bytes of the answer's body as sent. Raises NotWeighedError; ConfigError where no gateway
        answers."""
        given = {"variables": variables} if variables else {}
        try:
            return self._least({"documentId": f"sha256:{operation.hash}", **given})
        except _NotKnownError:
            return self._least({"query": operation.body, **given})

    def _least(self, body: Mapping[str, Any]) -> int:
        return min(self._ask(body) for _ in range(RUNS))

    def _ask(self, body: Mapping[str, Any]) -> int:
        headers = {
            "accept-encoding": self.accept_encoding,
            "graphql-client-name": CLIENT_NAME,
            **({"authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        request = self.client.build_request("POST", self.url, json=body, headers=headers)
        try:
            response = self.client.send(request, stream=True)
            raw = b"".join(response.iter_raw())
        except httpx2.HTTPError as error:
            raise ConfigError(
                f"no gateway answers at {self.url} ({error}); start one on seed data (`bff up`) "
                "and name it with --against"
            ) from error
        _refuse_problems(response.status_code, _decoded(response, raw))
        return len(raw)


def gateway_client() -> httpx2.Client:
    """Not through the proxy of the environment: a development gateway is on this machine."""
    return httpx2.Client(timeout=TIMEOUT_S, trust_env=False)


def _decoded(response: httpx2.Response, raw: bytes) -> bytes:
    """The body that the bytes sent stand for."""
    if response.headers.get("content-encoding") == "zstd":  # httpx2 wants another library for it
        return zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    return httpx2.Response(200, headers=response.headers, content=raw).content


def _refuse_problems(status: int, content: bytes) -> None:
    """Half an answer would weigh too little."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NotWeighedError(f"status {status}: {content[:SHOWN]!r}")
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        kind = _NotKnownError if _code(errors[0]).startswith(NOT_KNOWN) else NotWeighedError
        raise kind("; ".join(_told(error) for error in errors[:2])[: 2 * SHOWN])
    if status != 200 or not isinstance(body.get("data"), dict):
        raise NotWeighedError(f"status {status}: {content[:SHOWN]!r}")


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _told(error: Any) -> str:
    if not isinstance(error, dict):
        return json.dumps(error)
    path = ".".join(str(part) for part in error.get("path") or ())
    return ": ".join(part for part in (_code(error), path, str(error.get("message", ""))) if part)
