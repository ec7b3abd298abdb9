"""Finds the one document id of a request in every position clients use; looks nothing up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from bff.errors import BadRequest

MAX_ID_LENGTH = 256
_ID_KEYS = ("documentId", "id", "doc_id")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


class FoundId(NamedTuple):
    """The id as sent, prefix included; `apq` when it came as `extensions.persistedQuery`."""

    document_id: str | None
    apq: bool


def find_document_id(
    parameters: Mapping[str, Any],
    extensions: Mapping[str, Any],
    *,
    path_id: str | None = None,
) -> FoundId:
    """The document id of one operation request.

    Positions: `extensions.persistedQuery.sha256Hash` with version 1 (Apollo, urql), `documentId`
    (GraphQL-over-HTTP draft), `id` and `doc_id` (Relay apps), and the URL's path. `null` counts
    as not sent. The same SHA-256 with and without `sha256:`, in upper or lower case, is one id.

    Raises BadRequest for a position of the wrong type and for positions that disagree.
    """
    persisted = extensions.get("persistedQuery")
    found: list[tuple[str, str]] = []
    if persisted is not None:
        found.append(("extensions.persistedQuery.sha256Hash", _persisted_id(persisted)))
    for key in _ID_KEYS:
        value = parameters.get(key)
        if value is not None:
            found.append((key, _checked(key, value)))
    if path_id is not None:
        found.append(("the path", _checked("the path", path_id)))
    if not found:
        return FoundId(None, apq=False)
    _refuse_disagreement(found)
    return FoundId(found[0][1], apq=persisted is not None)


def _persisted_id(persisted: Any) -> str:
    where = "extensions.persistedQuery"
    if not isinstance(persisted, dict):
        raise BadRequest(f"{where} must be an object with version 1 and sha256Hash")
    version = persisted.get("version")
    if type(version) is not int or version != 1:
        raise BadRequest(f"{where}.version must be the number 1; no other version is spoken here")
    return _checked(f"{where}.sha256Hash", persisted.get("sha256Hash"))


def _checked(where: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        raise BadRequest(
            f"{where} must be a document id: a string of 1 to {MAX_ID_LENGTH} characters"
        )
    return value


def _refuse_disagreement(found: list[tuple[str, str]]) -> None:
    first_where, first = found[0]
    for where, value in found[1:]:
        if value != first and _bare(value) != _bare(first):
            raise BadRequest(
                f"{first_where} and {where} name different documents; send one document id"
            )


def _bare(document_id: str) -> str:
    match = _SHA256.fullmatch(document_id)
    return match[1].lower() if match else document_id
