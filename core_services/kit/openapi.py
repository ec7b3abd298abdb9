"""The OpenAPI document of a service, completed with what the gate does.

Security, headers, common problems.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from core_services.kit.callers import VIEWER_HEADER, required_viewer
from core_services.kit.deadlines import HEADER as DEADLINE_HEADER
from core_services.kit.errors import (
    BadCursor,
    BadInput,
    BadRequest,
    BodyTooLarge,
    CallerUnknown,
    DatabaseUnavailable,
    DeadlineSpent,
    FieldError,
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    Internal,
    Overloaded,
    Problem,
    ProblemBody,
    UnsupportedMediaType,
    ViewerInvalid,
    ViewerRequired,
    problems,
)
from core_services.kit.freshness import document_freshness
from core_services.kit.gate import REQUEST_ID_HEADER
from core_services.kit.idempotency import HEADER as KEY_HEADER
from core_services.kit.idempotency import REPLAYED_HEADER, required_key

_REFERENCE = "#/components/schemas/{model}"
_SECURITY_SCHEMES = {
    "caller": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Credential of a BFF: ES256, typ bff+jwt, aud this service, at most 300 s.",
    },
    "viewer": {
        "type": "apiKey",
        "in": "header",
        "name": VIEWER_HEADER,
        "description": "ES256, typ viewer+jwt, aud core-services, the caller's kid, 60 s at most.",
    },
}
_DEADLINE = {
    "name": DEADLINE_HEADER,
    "in": "header",
    "required": False,
    "description": "Milliseconds the caller still listens; less than 5 is DEADLINE_SPENT.",
    "schema": {"type": "integer", "minimum": 5, "maximum": 999999999},
    "example": 2000,
}
_REQUEST_ID = {
    "name": REQUEST_ID_HEADER,
    "in": "header",
    "required": False,
    "description": "Echoed and logged: 1 to 128 of A-Z a-z 0-9 . _ : -, anything else is replaced.",
    "schema": {"type": "string"},
}
_KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "required": True,
    "description": "New for each intent; a repeat with it has no second effect. Kept 7 days.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
}
_ECHOED_ID = {"description": "The id of this exchange in the logs.", "schema": {"type": "string"}}
_REPLAYED = {
    "description": "Present on the answer of an earlier call.",
    "schema": {"type": "string", "enum": ["true"]},
}


def openapi_document(app: FastAPI, public_paths: frozenset[str]) -> dict[str, Any]:
    """Return the document; every operation lists the problems the kit may answer."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_problem_schemas())
    components["securitySchemes"] = _SECURITY_SCHEMES
    for method, path, route in _documented(app):
        _complete(document["paths"][path][method], route, public=path in public_paths)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return document


def _documented(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield method.lower(), route.path, route


def _problem_schemas() -> dict[str, Any]:
    schema = ProblemBody.model_json_schema(ref_template=_REFERENCE)
    schema.pop("$defs", None)
    # Left out rather than null when there are none.
    schema["properties"]["errors"] = {
        "type": "array",
        "items": {"$ref": _REFERENCE.format(model="FieldError")},
    }
    return {"ProblemBody": schema, "FieldError": FieldError.model_json_schema()}


def _complete(operation: dict[str, Any], route: APIRoute, *, public: bool) -> None:
    calls = set(_calls_of(route.dependant))
    viewer, keyed = required_viewer in calls, required_key in calls
    headers = [_DEADLINE, _REQUEST_ID, *([_KEY] if keyed else [])]
    operation["parameters"] = [*operation.get("parameters", []), *headers]
    operation["security"] = (
        [] if public else [{"caller": [], "viewer": []} if viewer else {"caller": []}]
    )
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    common = problems(*_common_problems(operation, public, viewer, keyed))
    for status, answer in common.items():
        own = answers.get(str(status))
        if own is None:
            answers[str(status)] = answer
        else:
            own["description"] += ", " + answer["description"]
    for status, answer in answers.items():
        extra = {REPLAYED_HEADER: _REPLAYED} if keyed and status.startswith("2") else {}
        answer["headers"] = {REQUEST_ID_HEADER: _ECHOED_ID, **extra, **answer.get("headers", {})}
    document_freshness(operation)
    operation["responses"] = dict(sorted(answers.items()))


def _calls_of(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls_of(inner)


def _common_problems(
    operation: dict[str, Any], public: bool, viewer: bool, keyed: bool
) -> list[type[Problem]]:
    kinds: list[type[Problem]] = [BadRequest, Internal, DatabaseUnavailable, DeadlineSpent]
    if not public:
        kinds += [CallerUnknown, ViewerInvalid, Overloaded]
    if viewer:
        kinds.append(ViewerRequired)
    if keyed:
        kinds += [IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress]
    if "requestBody" in operation:
        kinds += [BodyTooLarge, UnsupportedMediaType]
    places = {parameter["in"] for parameter in operation["parameters"]}
    if "requestBody" in operation or places & {"query", "path"}:
        kinds.append(BadInput)
    if any(parameter["name"] == "after" for parameter in operation["parameters"]):
        kinds.append(BadCursor)
    return kinds
