"""Which words of an error may leave: known ones in full, anything else as INTERNAL without a word.

An unexpected exception is logged with its traceback under the request id; the app gets the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError

from bff.errors import BadUserInput, ClientError, InternalError
from bff.telemetry.logs import logger

log = logger(__name__)

BAD_ARGUMENT = "An argument of this field does not fit; look at the variables it is given."
MASKED = "Something went wrong on our side; the request id finds it in our logs."


def field_entries(errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """GraphQL error objects. An exception that reached many fields (a loader's) is logged once."""
    causes: set[int] = set()
    entries = []
    for error in errors:
        cause = error.original_error or error
        ours = not isinstance(cause, ClientError) and not _is_of_arguments(cause)
        if ours and id(cause) not in causes:
            causes.add(id(cause))
            log.error("field_failed", path=error.path, request_id=request_id, exc_info=cause)
        entries.append(field_entry(error))
    return entries


def field_entry(error: GraphQLError) -> dict[str, Any]:
    """One GraphQL error object (spec, Response Format: message, locations, path, extensions)."""
    entry: dict[str, Any] = {"message": MASKED}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        entry["path"] = error.path
    cause = error.original_error
    if isinstance(cause, ClientError):
        entry["message"] = cause.message
        entry["extensions"] = {**cause.extensions, "code": cause.code}
        return entry
    if _is_of_arguments(cause or error):
        entry["message"] = BAD_ARGUMENT
        entry["extensions"] = {"code": BadUserInput.code}
        return entry
    entry["extensions"] = {"code": InternalError.code}
    return entry


def _is_of_arguments(cause: Exception) -> bool:
    """graphql-core's own error about an argument, such as a variable's null where none may be
    (GraphQL spec, Coercing Field Arguments). Its words may quote the value, so they stay here."""
    return isinstance(cause, GraphQLError) and cause.message.startswith("Argument '")
