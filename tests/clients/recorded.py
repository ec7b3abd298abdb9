"""What recorded requests are filled with, and what a phone made of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import read_releases
from tests.clients.gateways import committed_releases
from tests.clients.raw_http import Incoming, Outgoing


class ResponseCodeError(Exception):
    """The client gave up on the status, without reading the body."""


class NotUnderstoodError(Exception):
    """The client could not make sense of the answer."""


@dataclass(frozen=True)
class Result:
    """What the app is given."""

    data: Any
    errors: tuple[Mapping[str, Any], ...]
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Recording:
    """One kind of request of one client, letter by letter, with marks for what differs from call
    to call: @ID@, @NAME@, @TEXT@ (an escaped string's inside), @VARIABLES@ (JSON), @TOKEN@.

    `escape` writes a JSON value as this client does; `encode` puts it into a URL.
    """

    line: str
    headers: tuple[str, ...]
    body: str | None
    escape: Callable[[Any], str]
    encode: Callable[[str], str]

    def fill(self, operation: ManifestOperation, variables: Any, token: str) -> Outgoing:
        """The request for one operation, ready to be sent."""
        marks = {
            "@ID@": operation.id,
            "@NAME@": operation.name,
            "@TYPE@": operation.type,
            "@TEXT@": self.escape(operation.body)[1:-1],
            "@VARIABLES@": self.escape(variables),
        }
        # A URL holds the text itself, a JSON body the inside of a JSON string.
        in_url = {**marks, "@TEXT@": operation.body}
        encoded = {mark: self.encode(value) for mark, value in in_url.items()}
        headers = tuple(_filled(line, {**marks, "@TOKEN@": token}) for line in self.headers)
        body = None if self.body is None else _filled(self.body, marks).encode()
        return Outgoing(_filled(self.line, encoded), headers, body)


def _filled(template: str, marks: Mapping[str, str]) -> str:
    for mark, value in marks.items():
        template = template.replace(mark, value)
    return template


def released(platform: str, release: str, name: str) -> ManifestOperation:
    """An operation of a committed release."""
    for found in read_releases(committed_releases(platform), platform):
        if found.name == release:
            return next(one for one in found.manifest.operations if one.name == name)
    raise LookupError(f"{platform} has no release {release}")


def counted_releases(url: str) -> set[str]:
    """The releases a gateway has counted requests of; `other` is none that was shipped."""
    metrics = httpx2.get(f"{url}/metrics").text
    return set(re.findall(r'^facet_release_requests_total\{.*release="([^"]+)"', metrics, re.M))


def result_of(answer: Incoming) -> Result:
    """The GraphQL response in a one-piece JSON answer, as both mobile clients read it."""
    if answer.media_type not in ("application/json", "application/graphql-response+json"):
        raise NotUnderstoodError(f"content type {answer.headers.get('content-type')!r}")
    return as_result(json.loads(answer.body))


def as_result(value: Any) -> Result:
    """A decoded GraphQL response; both clients want an object whose errors have messages."""
    if not isinstance(value, dict):
        raise NotUnderstoodError(f"{value!r} is no object")
    errors = value.get("errors") or []
    if not all(isinstance(error.get("message"), str) for error in errors):
        raise NotUnderstoodError(f"errors without message: {errors!r}")
    return Result(value.get("data"), tuple(errors), value.get("extensions") or {})
