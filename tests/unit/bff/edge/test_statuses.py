"""bff/edge/statuses.py: the closed list of codes and statuses, in both media types."""

from collections.abc import Iterator

import pytest

from bff import errors
from bff.config import ClientConfig
from bff.edge.statuses import STATUSES
from bff.response.envelope import Envelope
from tests.unit.bff.edge.fakes import GRAPHQL, JSON, code, edge, executed

TABLE = [
    ("PERSISTED_QUERY_NOT_FOUND", 200, 200),
    ("DOCUMENT_NOT_REGISTERED", 200, 200),
    ("DOCUMENT_NOT_IN_RELEASE", 200, 200),
    ("RELEASE_UNKNOWN", 200, 200),
    ("RELEASE_RETIRED", 200, 200),
    ("DOCUMENT_TEXT_NOT_REGISTERED", 200, 200),
    ("DOCUMENT_ID_REQUIRED", 200, 400),
    ("CLIENT_UPGRADE_REQUIRED", 200, 200),
    ("CLIENT_BLOCKED", 200, 200),
    ("PERSISTED_QUERY_MISMATCH", 400, 400),
    ("BAD_REQUEST", 400, 400),
    ("GRAPHQL_PARSE_FAILED", 200, 400),
    ("GRAPHQL_VALIDATION_FAILED", 200, 400),
    ("BAD_USER_INPUT", 200, 400),
    ("UNSUPPORTED_MEDIA_TYPE", 415, 415),
    ("REQUEST_TOO_LARGE", 413, 413),
    ("REQUEST_TIMEOUT", 408, 408),
    ("METHOD_NOT_ALLOWED", 405, 405),
    ("CSRF_BLOCKED", 403, 403),
    ("UNAUTHENTICATED", 200, 200),
    ("RATE_LIMITED", 429, 429),
    ("OVERLOADED", 503, 503),
    ("INTERNAL", 500, 500),
    ("UPSTREAM_UNAVAILABLE", 200, 200),
    ("A_CODE_NOBODY_DECLARED", 500, 500),
]


def refused(refusal_code: str) -> Envelope:
    entry = {"message": "no", "extensions": {"code": refusal_code}}
    return Envelope(errors=[entry], code=refusal_code, cache="private")


@pytest.mark.parametrize(("refusal_code", "as_json", "as_graphql"), TABLE)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_refusals_have_their_status(
    refusal_code: str, as_json: int, as_graphql: int, method: str
) -> None:
    """Each code has its status in both media types, and nobody may keep the answer."""
    served = edge(lambda _: refused(refusal_code))
    for media, status in ((JSON, as_json), (GRAPHQL, as_graphql)):
        if method == "GET":
            response = await served.get(documentId="x", accept=media)
        else:
            response = await served.post({"documentId": "x"}, accept=media)
        assert (response.status_code, code(response)) == (status, refusal_code)
        assert response.headers["content-type"] == f"{media}; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers
        assert "data" not in response.json()
    assert [report.codes for report in served.told.reports] == [(refusal_code,)] * 2


@pytest.mark.parametrize("refusal_code", ["CLIENT_UPGRADE_REQUIRED", "CLIENT_BLOCKED"])
@pytest.mark.parametrize(("media", "status"), [(JSON, 426), (GRAPHQL, 200)])
async def test_upgrade_status_is_set(refusal_code: str, media: str, status: int) -> None:
    """By `client.upgrade_status` a refused build gets 426, where the media type leaves a choice;
    every other answer keeps its status."""
    config = ClientConfig(upgrade_status=426)
    refusing = edge(lambda _: refused(refusal_code), client=config)
    assert (await refusing.post({"documentId": "x"}, accept=media)).status_code == status
    retired = edge(lambda _: refused("RELEASE_RETIRED"), client=config)
    assert (await retired.post({"documentId": "x"}, accept=media)).status_code == 200


@pytest.mark.parametrize("media", [JSON, GRAPHQL])
async def test_field_errors_are_200(media: str) -> None:
    """Errors beside data are an answer: 200 in both media types, private."""
    entry = {"message": "late", "path": ["a"], "extensions": {"code": "UPSTREAM_TIMEOUT"}}
    served = edge(lambda _: executed({"a": None}, errors=[entry], cache="public"))
    response = await served.get(documentId="x", accept=media)
    assert response.status_code == 200
    assert response.json() == {"errors": [entry], "data": {"a": None}}
    assert response.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("media", [JSON, GRAPHQL])
async def test_null_data_is_200(media: str) -> None:
    """An operation whose data bubbled up to null was executed all the same."""
    served = edge(lambda _: Envelope(data=None, executed=True, errors=[{"message": "no"}]))
    response = await served.post({"documentId": "x"}, accept=media)
    assert (response.status_code, response.json()["data"]) == (200, None)


async def test_get_mutations_allow_post() -> None:
    """A mutation by GET is 405 and says which method would do."""
    served = edge(lambda _: refused("METHOD_NOT_ALLOWED"))
    response = await served.get(query="mutation { a }")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def subclasses(root: type[errors.FacetError]) -> Iterator[type[errors.FacetError]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_client_error_listed() -> None:
    """No error the gateway can show is without a status of its own."""
    declared = {error.code for error in subclasses(errors.ClientError) if "code" in vars(error)}
    assert declared - STATUSES.keys() == set()
