"""bff/edge/graphql.py: a request through the whole edge, over an in-memory pipeline."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.request import OperationRequest
from bff.response.envelope import Envelope
from tests.unit.bff.edge.fakes import GRAPHQL, HASH, JSON, Told, code, edge, executed

PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}


async def test_post_is_answered() -> None:
    """A POST by document id comes back as the pipeline's envelope, in the client's media type."""
    served = edge()
    response = await served.post({"extensions": PERSISTED}, accept=GRAPHQL)
    assert response.status_code == 200
    assert response.json() == {"data": {"home": {"title": "Hi"}}}
    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert response.headers["content-length"] == str(len(response.content))


async def test_arrival_carries_the_headers() -> None:
    """Identity, credential, idempotency key and deadline reach the pipeline."""
    served = edge()
    await served.post(
        {"documentId": "x"},
        authorization="Bearer abc",
        idempotency_key="8a1c-44",
        x_request_id="req-1",
        apollographql_client_name="ios",
        apollographql_client_version="7.3.0+41",
    )
    (arrival,) = served.pipeline.arrivals
    assert (arrival.authorization, arrival.idempotency_key) == ("Bearer abc", "8a1c-44")
    assert (arrival.request_id, arrival.client.release) == ("req-1", "7.3.0+41")
    assert 0 < arrival.deadline.remaining() <= 1.5


@pytest.mark.parametrize("key", ["", "a" * 256, "a b", "a\u00e9"])
async def test_bad_idempotency_keys_refused(key: str) -> None:
    """A key that could not be kept is refused: dropping it could run a mutation twice."""
    served = edge()
    headers = {b"idempotency-key": key.encode("latin-1")}
    response = await served.http.post("/graphql", json={"documentId": "x"}, headers=headers)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")
    assert served.pipeline.requests == []


@pytest.mark.parametrize("media", [JSON, GRAPHQL])
@pytest.mark.parametrize(
    ("headers", "content", "status", "expected"),
    [
        ({}, b"not json", 400, "BAD_REQUEST"),
        ({}, b"", 400, "BAD_REQUEST"),
        ({}, b'{"query":"{ a }","query":"{ b }"}', 400, "BAD_REQUEST"),
        ({}, b'{"query":"\xff"}', 400, "BAD_REQUEST"),
        ({}, b'{"query":"{ a }","variables":{"n":NaN}}', 400, "BAD_REQUEST"),
        ({}, b'{"query":"{ a }","variables":{"n":9223372036854775808}}', 400, "BAD_REQUEST"),
        ({}, b'{"query":"{ a }","variables":' + b"[" * 99 + b"]" * 99 + b"}", 400, "BAD_REQUEST"),
        ({}, b'{"query":7}', 400, "BAD_REQUEST"),
        ({}, b"[]", 400, "BAD_REQUEST"),
        ({}, b"[" + b",".join([b'{"id":"x"}'] * 11) + b"]", 400, "BAD_REQUEST"),
        ({}, b'{"documentId":"a","id":"b"}', 400, "BAD_REQUEST"),
        ({"content-encoding": "gzip"}, gzip.compress(b"{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-type": "text/plain"}, b'{"query":"{ a }"}', 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-type": ""}, b'{"query":"{ a }"}', 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({}, b" " * 70_000, 413, "REQUEST_TOO_LARGE"),
    ],
)
async def test_edge_refusals_have_status(
    headers: dict[str, str], content: bytes, status: int, expected: str, media: str
) -> None:
    """What the edge itself refuses has the code and status of the closed list, unasked behind."""
    served = edge()
    sent = {"content-type": "application/json", "accept": media, **headers}
    response = await served.http.post("/graphql", content=content, headers=sent)
    assert (response.status_code, code(response)) == (status, expected)
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "data" not in response.json()
    assert served.pipeline.arrivals == []
    assert served.told.reports[0].codes == (expected,)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
@pytest.mark.parametrize(
    ("path", "allow"),
    [("/graphql", "GET, HEAD, POST"), (f"/documents/{HASH}/Home", "GET, HEAD")],
)
async def test_other_methods_are_405(method: str, path: str, allow: str) -> None:
    """A method nobody defined here is 405 and lists the ones that are."""
    response = await edge().http.request(method, path)
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == allow


async def test_documents_refuse_post() -> None:
    """The stable URL only reads."""
    response = await edge().http.post(f"/documents/{HASH}/Home", json={})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("document_id", [HASH, f"sha256:{HASH}", f"sha256%3A{HASH}"])
async def test_document_url_is_answered(document_id: str) -> None:
    """A document has a stable URL, with or without the prefix."""
    served = edge()
    path = f"/documents/{document_id}/Home"
    response = await served.get(path, variables='{"first":2}')
    assert response.status_code == 200
    (request,) = served.pipeline.requests
    assert request.document_id == document_id.replace("%3A", ":")
    assert (request.operation_name, request.variables) == ("Home", {"first": 2})
    assert request.read_only


def by_id(request: OperationRequest) -> Envelope:
    """A pipeline that refuses one id, breaks on another and answers the rest."""
    if request.document_id == "refused":
        entry = {"message": "no", "extensions": {"code": "DOCUMENT_NOT_REGISTERED"}}
        return Envelope(errors=[entry], code="DOCUMENT_NOT_REGISTERED")
    if request.document_id == "broken":
        raise RuntimeError("a secret")
    if request.document_id == "unencodable":
        return executed({"a": object()})
    return executed({"id": request.document_id})


async def test_batches_keep_their_order() -> None:
    """Each member of an array is answered 200 in its place: data, refusal, wrong shape, fault."""
    served = edge(by_id)
    ids = ["a", "refused", None, "broken", "unencodable", "b"]
    response = await served.post([{"documentId": document_id} for document_id in ids])
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    answers = response.json()
    codes = [a["errors"][0]["extensions"]["code"] if "errors" in a else a["data"] for a in answers]
    assert codes == [
        {"id": "a"},
        "DOCUMENT_NOT_REGISTERED",
        "BAD_REQUEST",
        "INTERNAL",
        "INTERNAL",
        {"id": "b"},
    ]
    assert "secret" not in response.text


async def test_batches_share_one_exchange() -> None:
    """All members have one arrival, so one identity, one deadline and shared loaders."""
    served = edge(by_id)
    await served.post([{"documentId": "a"}] * 10)
    assert (len(served.pipeline.arrivals), len(served.pipeline.requests)) == (1, 10)
    assert served.told.reports[0].operations == 10


async def test_faults_are_masked() -> None:
    """An exception nobody expected is a 500 with a code and a request id, and nothing else."""
    served = edge(by_id)
    for document_id in ("broken", "unencodable"):
        response = await served.post({"documentId": document_id}, x_request_id="abc")
        assert (response.status_code, code(response)) == (500, "INTERNAL")
        assert response.headers["x-request-id"] == "abc"
        assert response.headers["cache-control"] == "no-store"
        assert "secret" not in response.text
        assert served.told.reports[-1].status == 500


class BrokenTelemetry(Told):
    """Telemetry that fails at both ends."""

    def on_request(self, head: Any) -> object:
        raise RuntimeError("collector gone")

    def on_answer(self, begun: object, report: Any) -> None:
        raise RuntimeError("collector gone")


async def test_broken_telemetry_costs_nothing() -> None:
    """A telemetry that raises is logged; the client gets its answer."""
    response = await edge(told=BrokenTelemetry()).post({"documentId": "x"})
    assert response.status_code == 200


async def test_reports_tell_what_left() -> None:
    """After the answer, telemetry learns status, size as sent, coding and calls."""
    served = edge(lambda _: executed({"text": "x" * 5_000}, cache="private"))
    response = await served.http.post(
        "/graphql", json={"documentId": "x"}, headers={"accept-encoding": "gzip"}
    )
    (report,) = served.told.reports
    assert (report.route, report.method, report.status) == ("graphql", "POST", 200)
    assert (report.codes, report.operations, report.upstream_calls) == ((), 1, 3)
    assert report.bytes_out == int(response.headers["content-length"]) < 5_000
    assert report.content_encoding == "gzip"
    assert report.duration_s > 0
    assert report.request_id == response.headers["x-request-id"]
    assert report.client is not None
    assert report.used == [("x", False)]


async def test_failed_fields_are_reported() -> None:
    """Telemetry learns how many fields failed with which code; a refusal is none of them."""
    codes = ["NOT_FOUND", "UPSTREAM_TIMEOUT", "NOT_FOUND"]
    errors = [{"message": "x", "extensions": {"code": code}} for code in codes]
    served = edge(lambda _: executed({"a": None}, errors=errors))
    await served.post({"documentId": "x"})
    await served.post([{"documentId": "x"}, {"documentId": "y"}])
    await served.post({"documentId": 1})
    assert [report.field_codes for report in served.told.reports] == [
        {"NOT_FOUND": 2, "UPSTREAM_TIMEOUT": 1},
        {"NOT_FOUND": 4, "UPSTREAM_TIMEOUT": 2},
        {},
    ]


async def test_request_ids_are_returned() -> None:
    """A sound request id comes back; anything else is replaced by a fresh one."""
    served = edge()
    sound = await served.post({"documentId": "x"}, x_request_id="a.B-3_")
    assert sound.headers["x-request-id"] == "a.B-3_"
    seen = set()
    for sent in ("", "a" * 65, "a b", "a\tb", "<x>"):
        made = (await served.post({"documentId": "x"}, x_request_id=sent)).headers["x-request-id"]
        assert len(made) == 32
        seen.add(made)
    assert len(seen) == 5


@pytest.mark.parametrize("path", ["/graphql", "/healthz", "/readyz", "/metrics", "/nowhere"])
async def test_every_answer_has_id(path: str) -> None:
    """Whatever is answered can be quoted."""
    assert len((await edge().http.get(path)).headers["x-request-id"]) == 32


async def test_timing_in_development_only() -> None:
    """`server-timing` helps developers and tells strangers nothing."""
    developing = await edge(environment="development").post({"documentId": "x"})
    serving = await edge(environment="production").post({"documentId": "x"})
    assert developing.headers["server-timing"].startswith("total;dur=")
    assert '"3 calls"' in developing.headers["server-timing"]
    assert "server-timing" not in serving.headers


# Caching


async def test_gets_are_revalidated() -> None:
    """A viewer's GET has a tag; sending it back saves the body and keeps the caching headers."""
    served = edge()
    first = await served.get(documentId="x")
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Accept, Accept-Encoding, Authorization"
    tag = first.headers["etag"]
    known = {"if-none-match": f'"other", {tag}', "accept": JSON}
    again = await served.http.get("/graphql?documentId=x", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary"):
        assert again.headers[name] == first.headers[name]
    for name in ("content-type", "content-encoding", "content-length"):
        assert name not in again.headers
    assert len(again.headers["x-request-id"]) == 32


async def test_changed_answers_are_sent() -> None:
    """Another answer has another tag, so an old one gets the new body."""
    titles = iter(["a", "b"])
    served = edge(lambda _: executed({"title": next(titles)}, cache="private"))
    first = await served.get(documentId="x")
    known = {"if-none-match": first.headers["etag"]}
    again = await served.http.get("/graphql?documentId=x", headers=known)
    assert (again.status_code, again.json()["data"]) == (200, {"title": "b"})


async def test_tags_ignore_the_coding() -> None:
    """The tag is of the answer, not of its compressed form: any coding revalidates."""
    served = edge(lambda _: executed({"text": "x" * 5_000}, cache="private"))
    plain = await served.get(documentId="x")
    packed = await served.http.get("/graphql?documentId=x", headers={"accept-encoding": "br"})
    assert packed.headers["content-encoding"] == "br"
    assert packed.headers["etag"] == plain.headers["etag"]
    assert packed.json() == plain.json()


async def test_public_answers_on_get_only() -> None:
    """What is the same for everybody may be kept by CDNs when read by GET, never by POST."""
    served = edge(lambda _: executed(cache="public"), public_max_age_s=30)
    got = await served.get(f"/documents/{HASH}/Home")
    assert got.headers["cache-control"] == "public, max-age=30"
    assert got.headers["vary"] == "Accept, Accept-Encoding"
    posted = await served.post({"documentId": "x"})
    assert posted.headers["cache-control"] == "private, no-cache"
    assert "etag" not in posted.headers


async def test_cookies_vary_private_answers() -> None:
    """Where the credential is a cookie, a cache must look at it too."""
    served = edge(cookie_credential=True)
    response = await served.post({"documentId": "x"})
    assert response.headers["vary"] == "Accept, Accept-Encoding, Authorization, Cookie"


@pytest.mark.parametrize("known", [False, True])
async def test_head_is_get_without_body(known: bool) -> None:
    """HEAD has the status and headers of GET, uncompressed, and no body."""
    served = edge(lambda _: executed({"text": "x" * 5_000}, cache="private"))
    headers = {"accept": JSON, "if-none-match": "*"} if known else {"accept": JSON}
    got = await served.http.get("/graphql?documentId=x", headers=headers)
    headers["accept-encoding"] = "br"
    head = await served.http.head("/graphql?documentId=x", headers=headers)
    assert served.told.reports[-1].bytes_out == 0
    assert head.status_code == got.status_code == (304 if known else 200)
    assert head.headers.get("content-length") == (None if known else str(len(got.content)))
    for name in ("etag", "cache-control", "vary", "content-type"):
        assert head.headers.get(name) == got.headers.get(name)
    assert "content-encoding" not in head.headers


# Cross-site requests


@pytest.mark.parametrize("path", ["/graphql?documentId=x", f"/documents/{HASH}/Home"])
@pytest.mark.parametrize("media", [JSON, GRAPHQL])
async def test_cookie_gets_need_preflight(path: str, media: str) -> None:
    """With a cookie credential a bare GET is CSRF_BLOCKED; without one it is served."""
    blocked = await edge(cookie_credential=True).http.get(path, headers={"accept": media})
    assert (blocked.status_code, code(blocked)) == (403, "CSRF_BLOCKED")
    assert (await edge().http.get(path)).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "Apollo-Require-Preflight",
        "X-Apollo-Operation-Name",
        "GraphQL-Require-Preflight",
        "X-Requested-With",
    ],
)
async def test_preflight_headers_are_enough(name: str) -> None:
    """Each of the documented headers lets a GET with a cookie through."""
    served = edge(cookie_credential=True)
    response = await served.http.get("/graphql?documentId=x", headers={name: "true"})
    assert response.status_code == 200


async def test_simple_posts_are_refused() -> None:
    """A form of another site cannot POST an operation, cookie or not."""
    served = edge(cookie_credential=True)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = await served.http.post(
            "/graphql", content=b'{"documentId":"x"}', headers={"content-type": content_type}
        )
        assert response.status_code == 415
    assert served.pipeline.requests == []


# GraphiQL

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_browsers_get_graphiql() -> None:
    """In development a browser that asks nothing yet gets GraphiQL."""
    served = edge(environment="development")
    response = await served.get(accept=BROWSER)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "graphiql" in response.text.lower()
    assert served.pipeline.requests == []


async def test_programs_get_no_page() -> None:
    """In development too, whoever does not ask for HTML is told what is missing, in JSON."""
    served = edge(environment="development")
    for accept in ("*/*", JSON):
        assert code(await served.get(accept=accept)) == "BAD_REQUEST"


async def test_browsers_may_ask_operations() -> None:
    """A link with a document in it is answered in JSON, in a browser too."""
    response = await edge(environment="development").get(accept=BROWSER, documentId="x")
    assert response.json() == {"data": {"home": {"title": "Hi"}}}


async def test_production_has_no_graphiql() -> None:
    """In production the page does not exist; a browser is answered like everybody."""
    response = await edge(environment="production").get(accept=BROWSER)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


# Anything at all

members = st.dictionaries(
    st.sampled_from(["query", "variables", "extensions", "documentId", "id", "operationName"]),
    st.none()
    | st.text(max_size=5)
    | st.integers()
    | st.dictionaries(st.text(max_size=3), st.none()),
)
bodies = st.binary(max_size=100) | (members | st.lists(members, max_size=12)).map(
    lambda value: json.dumps(value).encode()
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@settings(deadline=None, max_examples=300)
@given(
    body=bodies,
    accept=header_values,
    accept_encoding=header_values,
    key=header_values | st.none(),
)
async def test_any_body_is_answered(
    body: bytes, accept: str, accept_encoding: str, key: str | None
) -> None:
    """No body and no header brings the edge to a 500: each has its 2xx or 4xx in JSON."""
    headers = {"content-type": "application/json", "accept": accept}
    headers["accept-encoding"] = accept_encoding
    if key is not None:
        headers["idempotency-key"] = key
    response = await edge().http.post("/graphql", content=body, headers=headers)
    assert response.status_code in (200, 400)
    answers = response.json()
    for answer in answers if isinstance(answers, list) else [answers]:
        assert "data" in answer or answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
