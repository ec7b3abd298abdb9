"""From JSON or URL parameters to operation requests: shapes only, no GraphQL is read here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from bff.documents.document_id import find_document_id
from bff.edge import query_string, strict_json
from bff.errors import BadRequest, RequestError, RequestTooLarge
from bff.request import OperationRequest

_MAX_URL_PARAMETERS = 32
_JSON_PARAMETERS = ("variables", "extensions")


class Asked(NamedTuple):
    """The operations of one HTTP request, in order; a batch member of a wrong shape is the error
    that takes its place in the answer."""

    members: list[OperationRequest | RequestError]
    batch: bool

    @property
    def only(self) -> OperationRequest:
        """The operation of what is no batch."""
        return cast("OperationRequest", self.members[0])

    @classmethod
    def alone(cls, operation: OperationRequest) -> Asked:
        return cls([operation], batch=False)


def from_json(value: Any, *, max_batch_size: int) -> Asked:
    """The operations of a POST body: an object, or an array as Apollo Kotlin batches them.

    Raises BadRequest when the whole body is refused: no object, or an array that is empty or
    longer than `max_batch_size`.
    """
    if not isinstance(value, list):
        return Asked.alone(_operation(value))
    if not 1 <= len(value) <= max_batch_size:
        raise BadRequest(
            f"the body is an array of {len(value)} operations; send 1 to {max_batch_size}"
        )
    return Asked([_member(member) for member in value], batch=True)


def _member(value: Any) -> OperationRequest | RequestError:
    try:
        return _operation(value)
    except RequestError as error:
        return error


def from_query(query: bytes, *, max_bytes: int, max_depth: int) -> OperationRequest:
    """The operation of a GET: the same keys as URL parameters, `variables` and `extensions` as
    JSON text (GraphQL over HTTP, "GET"). An empty parameter counts as not sent.

    Raises BadRequest, and RequestTooLarge for a query component over `max_bytes`.
    """
    parameters = _url_parameters(query, max_bytes=max_bytes, max_depth=max_depth)
    return _operation(parameters, read_only=True)


def from_document_path(
    document_id: str, operation_name: str, query: bytes, *, max_bytes: int, max_depth: int
) -> OperationRequest:
    """The operation of `GET /documents/{id}/{operationName}`, with `variables` and `extensions` as
    URL parameters. Raises BadRequest and RequestTooLarge as `from_query` does, and BadRequest for
    parameters that contradict the path."""
    parameters = _url_parameters(query, max_bytes=max_bytes, max_depth=max_depth)
    if "query" in parameters:
        raise BadRequest(
            "the path names a document already; leave the parameter 'query' out, "
            "or send the text to /graphql"
        )
    if parameters.setdefault("operationName", operation_name) != operation_name:
        raise BadRequest("the path and 'operationName' name different operations; send one")
    return _operation(parameters, read_only=True, path_id=document_id)


def _operation(
    value: Any, *, read_only: bool = False, path_id: str | None = None
) -> OperationRequest:
    if not isinstance(value, dict):
        raise BadRequest(
            f"an operation request must be a JSON object, not {_kind(value)}; "
            "send {'documentId': …} or {'query': …}"
        )
    text = _string(value, "query")
    operation_name = _string(value, "operationName")
    variables = _object(value, "variables")
    extensions = _object(value, "extensions")
    _check_on_error(value)
    found = find_document_id(value, extensions, path_id=path_id)
    if found.document_id is None and not text:
        raise BadRequest(
            "the request has neither a document id (extensions.persistedQuery, documentId, id, "
            "doc_id) nor a 'query'; send one"
        )
    return OperationRequest(
        document_id=found.document_id,
        text=text or None,
        operation_name=operation_name,
        variables=variables,
        extensions=extensions,
        apq=found.apq,
        read_only=read_only,
    )


def _check_on_error(parameters: Mapping[str, Any]) -> None:
    """`onError` (GraphQL spec RFC "onError", sent by Apollo Kotlin): what we do is PROPAGATE. Of
    another behaviour the client must hear, for it would read nulls where it expects none."""
    asked = parameters.get("onError")
    if asked is not None and asked != "PROPAGATE":
        raise BadRequest(
            "'onError' can only be PROPAGATE here: a field that fails is null at the nearest place "
            "that may be null; send PROPAGATE, or leave it out"
        )


def _string(parameters: Mapping[str, Any], key: str) -> str | None:
    value = parameters.get(key)
    if value is None or isinstance(value, str):
        return value
    raise BadRequest(f"'{key}' must be a string or null, not {_kind(value)}")


def _object(parameters: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = parameters.get(key)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise BadRequest(f"'{key}' must be an object or null, not {_kind(value)}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return kinds.get(type(value), "a number")


def _url_parameters(query: bytes, *, max_bytes: int, max_depth: int) -> dict[str, Any]:
    if len(query) > max_bytes:
        raise RequestTooLarge(f"the URL's query is larger than {max_bytes} bytes; send POST")
    pairs = _pairs(query)
    sent: dict[str, Any] = {name: value for name, value in pairs if value}
    if len(dict(pairs)) != len(pairs):
        name = strict_json.first_repeated(pairs)
        raise BadRequest(f"URL parameter '{name[:64]}' is sent twice; send it once")
    for name in _JSON_PARAMETERS:
        if name in sent:
            where = f"URL parameter '{name}'"
            sent[name] = strict_json.parse(sent[name].encode(), where=where, max_depth=max_depth)
    return sent


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return query_string.parameters(query, most=_MAX_URL_PARAMETERS)
    except UnicodeDecodeError:
        raise BadRequest("the URL's query is not percent-encoded UTF-8; encode it so") from None
    except ValueError:
        raise BadRequest(
            f"the URL's query has more than {_MAX_URL_PARAMETERS} parameters; send fewer"
        ) from None
