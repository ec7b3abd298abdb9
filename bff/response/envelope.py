"""The envelope `data`, `errors`, `extensions` of one answered operation, and its JSON bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import orjson

from bff.errors import ClientError, InternalError, RequestError
from bff.screens.report import NO_SECTIONS, Report
from bff.standing import Notice

CacheScope = Literal["no-store", "private", "public"]


class Holds(msgspec.Struct, frozen=True):
    """For how many seconds an answer may be taken as it is, how much longer while it is asked for
    anew, and how much longer in place of a failure."""

    max_age: int
    while_revalidate: int = 0
    if_error: int = 0


class Envelope(msgspec.Struct):
    """One answer. `code` is set when the whole request was refused: the edge chooses the status by
    it. `executed` tells that `data` belongs in the body even when it is null (GraphQL spec,
    Response Format: no `data` entry when execution never began). `facts` are extensions for a
    developer's eye, such as the calls made, and what time alone changes: no part of what an entity
    tag stands for. `notice` says that what the answer rests on ends; `holds`, how long its services
    said that it stays what it is; `sections`, what became of the parts of its screen."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    extensions: Mapping[str, Any] = {}
    facts: dict[str, Any] = {}
    executed: bool = False
    code: str | None = None
    cache: CacheScope = "no-store"
    holds: Holds | None = None
    notice: Notice | None = None
    sections: Report = NO_SECTIONS

    @property
    def outcome(self) -> str:
        """For metrics: ok, partial (some fields failed, or some sections are not whole),
        failed_screen (a critical section is not there), refused (whole request), failed (ours)."""
        if self.code is not None:
            return "failed" if self.code == InternalError.code else "refused"
        if self.sections.is_failed:
            return "failed_screen"
        return "partial" if self.errors or self.sections.told else "ok"

    def body(self) -> dict[str, Any]:
        """The JSON object of this answer, keys in the order clients expect to read them."""
        body: dict[str, Any] = {}
        if self.errors:
            body["errors"] = self.errors
        if self.executed:
            body["data"] = self.data
        if self.extensions or self.facts:
            body["extensions"] = {**self.extensions, **self.facts}
        return body

    def encode(self) -> bytes:
        """UTF-8 JSON of `body()`."""
        return orjson.dumps(self.body())

    def entity(self) -> bytes:
        """What an entity tag is made of: the same bytes without the facts."""
        return msgspec.structs.replace(self, facts={}).encode()


def refusal(error: ClientError) -> Envelope:
    """The envelope of a request that was refused before execution."""
    if isinstance(error, RequestError) and error.errors:
        errors = [
            {**entry, "extensions": {**entry.get("extensions", {}), "code": error.code}}
            for entry in error.errors
        ]
    else:
        errors = [error_entry(error)]
    if isinstance(error, RequestError) and error.client is not None:
        # With `data: null`, so that clients that look for either find both.
        told = {"client": error.client}
        return Envelope(errors=errors, code=error.code, extensions=told, executed=True)
    return Envelope(errors=errors, code=error.code)


def error_entry(error: ClientError) -> dict[str, Any]:
    """One GraphQL error object of a showable error."""
    return {"message": error.message, "extensions": {**error.extensions, "code": error.code}}
