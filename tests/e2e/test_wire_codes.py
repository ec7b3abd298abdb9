"""Every refusal has the one status and code of the closed list, whatever the client accepts.

Each case runs in both media types; errors are never cached; `docs/errors.md` is the list.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from tests.harness.stack import Stack, registered

JSON, GRAPHQL = "application/json", "application/graphql-response+json"
UNKNOWN = "f" * 64
TEXT = "{ __typename }"
DEEP_JSON = b'{"variables":' + b"[" * 200 + b"]" * 200 + b"}"
HOME_TEXT = "{ home { viewer { handle } } }"


@dataclass(frozen=True)
class Case:
    """One request and what must come back: code, status as JSON, status as GraphQL JSON."""

    name: str
    code: str
    as_json: int
    as_graphql: int
    body: Any = None
    raw: bytes | None = None
    method: str = "POST"
    path: str = "/graphql"
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    policy: str = "open"
    settings: dict[str, str] = field(default_factory=dict)
    message: str | None = None

    def __str__(self) -> str:
        return self.name


def _apq(text: str | None, sha: str) -> dict[str, Any]:
    body: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha}}}
    return body if text is None else {**body, "query": text}


def _bad(name: str, raw: bytes, **more: Any) -> Case:
    return Case(name, "BAD_REQUEST", 400, 400, raw=raw, **more)


def _invalid(name: str, query: str, code: str = "GRAPHQL_VALIDATION_FAILED") -> Case:
    return Case(name, code, 200, 400, {"query": query})


COOKIE = {"BFF__EDGE__COOKIE_CREDENTIAL": "true"}

CASES = [
    *(
        Case(
            f"unknown id, {policy}",
            "PERSISTED_QUERY_NOT_FOUND",
            200,
            200,
            {"documentId": f"sha256:{UNKNOWN}"},
            policy=policy,
            message="PersistedQueryNotFound",
        )
        for policy in ("open", "log_unknown")
    ),
    *(
        Case(
            f"unknown id, {policy}",
            "DOCUMENT_NOT_REGISTERED",
            200,
            200,
            _apq(None, UNKNOWN),
            policy=policy,
        )
        for policy in ("registered", "ids_only")
    ),
    Case(
        "unregistered text",
        "DOCUMENT_TEXT_NOT_REGISTERED",
        200,
        200,
        {"query": TEXT},
        policy="registered",
    ),
    Case("any text", "DOCUMENT_ID_REQUIRED", 200, 400, {"query": TEXT}, policy="ids_only"),
    Case("APQ id of another text", "PERSISTED_QUERY_MISMATCH", 400, 400, _apq(TEXT, UNKNOWN)),
    _bad("empty body", b""),
    _bad("not JSON", b"{"),
    _bad("trailing garbage", b'{"query":"{__typename}"}x'),
    _bad("invalid UTF-8", b'{"query":"\xff\xfe"}'),
    _bad("lone surrogate", b'{"query":"{__typename}","operationName":"\\ud800"}'),
    _bad("duplicate keys", b'{"query":"{__typename}","query":"{ home { viewer { id } } }"}'),
    _bad("duplicate keys below", b'{"query":"{__typename}","variables":{"a":1,"a":2}}'),
    _bad("NaN", b'{"query":"{__typename}","variables":{"a":NaN}}'),
    _bad("Infinity", b'{"query":"{__typename}","variables":{"a":-Infinity}}'),
    _bad("float beyond range", b'{"query":"{__typename}","variables":{"a":1e999}}'),
    _bad(
        "integer beyond 64 bit", b'{"query":"{__typename}","variables":{"a":9223372036854775808}}'
    ),
    _bad("huge integer", b'{"query":"{__typename}","variables":{"a":' + b"9" * 5000 + b"}}"),
    _bad("over-deep JSON", DEEP_JSON),
    _bad("a string", b'"query"'),
    _bad("null", b"null"),
    _bad("neither id nor text", b'{"variables":{}}'),
    _bad("query of wrong type", b'{"query":1}'),
    _bad("variables of wrong type", b'{"query":"{__typename}","variables":[]}'),
    _bad("extensions of wrong type", b'{"query":"{__typename}","extensions":"x"}'),
    _bad("operationName of wrong type", b'{"query":"{__typename}","operationName":{}}'),
    _bad("two ids", b'{"documentId":"a","id":"b"}'),
    _bad("empty text and no id", b'{"query":""}'),
    _bad("empty batch", b"[]"),
    _bad("too many batch members", json.dumps([{"query": TEXT}] * 11).encode()),
    _bad("bad variables parameter", b"", method="GET", query={"query": TEXT, "variables": "{"}),
    _invalid("syntax error", "{ home", "GRAPHQL_PARSE_FAILED"),
    _invalid("only a comment", "# nothing", "GRAPHQL_PARSE_FAILED"),
    _invalid("unknown field", "{ nothing }"),
    _invalid("too many tokens", "{" + " __typename" * 2100 + "}"),
    _invalid("too many aliases", "{" + " ".join(f"a{n}: __typename" for n in range(40)) + "}"),
    _invalid("too deep", "{" + "home{" * 40 + "x" + "}" * 41),
    _invalid("deep literal", "{ content(id: " + "[" * 400 + "1" + "]" * 400 + ") { id } }"),
    _invalid(
        "fragment cycle", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"
    ),
    Case(
        "unknown operation name",
        "GRAPHQL_VALIDATION_FAILED",
        200,
        400,
        {"query": "query A { __typename }", "operationName": "B"},
    ),
    Case(
        "missing variable",
        "BAD_USER_INPUT",
        200,
        400,
        {"query": "query A($id: ID!) { content(id: $id) { id } }"},
    ),
    Case(
        "variable of wrong type",
        "BAD_USER_INPUT",
        200,
        400,
        {
            "query": "query A($n: Int!) { home { feed(first: $n) { hasMore } } }",
            "variables": {"n": "x"},
        },
    ),
    Case(
        "gzip body",
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        415,
        raw=gzip.compress(b'{"query":"{__typename}"}'),
        headers={"content-encoding": "gzip"},
    ),
    *(
        Case(
            f"content type {kind or 'absent'}",
            "UNSUPPORTED_MEDIA_TYPE",
            415,
            415,
            raw=b'{"query":"{__typename}"}',
            headers={"content-type": kind},
        )
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")
    ),
    Case("too large", "REQUEST_TOO_LARGE", 413, 413, raw=b'{"query":"' + b" " * 70_000 + b'"}'),
    Case(
        "mutation by GET",
        "METHOD_NOT_ALLOWED",
        405,
        405,
        method="GET",
        query={
            "query": 'mutation { signOut(input: {idempotencyKey: "k"}) { state } }',
        },
    ),
    Case("PUT", "METHOD_NOT_ALLOWED", 405, 405, {"query": TEXT}, method="PUT"),
    Case(
        "GET by cookie without preflight",
        "CSRF_BLOCKED",
        403,
        403,
        method="GET",
        query={"query": TEXT},
        settings=COOKIE,
    ),
    Case(
        "bad token",
        "UNAUTHENTICATED",
        200,
        200,
        {"query": HOME_TEXT},
        headers={"authorization": "Bearer nonsense"},
    ),
    Case(
        "another scheme",
        "UNAUTHENTICATED",
        200,
        200,
        {"query": HOME_TEXT},
        headers={"authorization": "Basic ZGVtbzpkZW1v"},
    ),
]


async def _send(client: httpx2.AsyncClient, case: Case, accept: str) -> httpx2.Response:
    headers = {"accept": accept, "content-type": "application/json", **case.headers}
    content = case.raw if case.raw is not None else json.dumps(case.body).encode()
    if case.method == "GET":
        headers.pop("content-type")
        return await client.request("GET", case.path, params=case.query, headers=headers)
    if not headers["content-type"]:
        headers.pop("content-type")
    return await client.request(case.method, case.path, content=content, headers=headers)


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_refusal_has_its_code(stack: Stack, case: Case, accept: str) -> None:
    """A refused request gets its code and status, an error body and `no-store`."""
    settings = {"BFF__DOCUMENTS__POLICY": case.policy, **case.settings}
    async with stack.gateway("ios", environment=settings) as client:
        answer = await _send(client, case, accept)
    body = answer.json()
    assert answer.status_code == (case.as_json if accept == JSON else case.as_graphql)
    assert body["errors"][0]["extensions"]["code"] == case.code
    assert "data" not in body
    assert answer.headers["content-type"].startswith(accept)
    assert answer.headers["cache-control"] == "no-store"
    if case.message is not None:
        assert body["errors"][0]["message"] == case.message
    else:
        assert body["errors"][0]["message"] != "PersistedQueryNotFound"
    if answer.status_code == 405:
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_field_errors_stand_beside_data(stack: Stack, accept: str) -> None:
    """Errors of fields leave status 200, data, and a private answer."""
    async with stack.gateway("ios") as client:
        answer = await client.post(
            "/graphql", json={"query": HOME_TEXT}, headers={"accept": accept}
        )
    assert answer.status_code == 200
    assert answer.json()["data"] == {"home": {"viewer": None}}
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert answer.headers["cache-control"].startswith("private")


async def test_bad_member_keeps_its_place(stack: Stack) -> None:
    """In a JSON array a bad member gets its own error at its own index, the others their data."""
    members = [{"query": TEXT}, {"query": 1}, {"documentId": UNKNOWN}, {"query": TEXT}]
    async with stack.gateway("ios") as client:
        answer = await client.post("/graphql", json=members)
    assert answer.status_code == 200
    codes = [
        member["errors"][0]["extensions"]["code"] if "errors" in member else "data"
        for member in answer.json()
    ]
    assert codes == ["data", "BAD_REQUEST", "PERSISTED_QUERY_NOT_FOUND", "data"]


async def test_apq_is_verified_then_kept(stack: Stack) -> None:
    """A text sent with its hash is answered, and from then on by the hash alone."""
    text = "query Kept { home { __typename } }"
    sha = hashlib.sha256(text.encode()).hexdigest()
    async with stack.gateway("ios") as client:
        before = await client.post("/graphql", json=_apq(None, sha))
        registering = await client.post("/graphql", json=_apq(text, sha))
        after = await client.post("/graphql", json=_apq(None, sha))
    assert before.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert (
        registering.json()["data"] == after.json()["data"] == {"home": {"__typename": "HomeScreen"}}
    )


async def test_invalid_text_is_never_kept(stack: Stack) -> None:
    """A text that does not validate is refused and its hash stays unknown."""
    text = "{ nothing }"
    sha = hashlib.sha256(text.encode()).hexdigest()
    async with stack.gateway("ios") as client:
        await client.post("/graphql", json=_apq(text, sha))
        after = await client.post("/graphql", json=_apq(None, sha))
    assert after.json()["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize("policy", ["open", "log_unknown", "registered", "ids_only"])
async def test_registered_ids_work_everywhere(stack: Stack, token: str, policy: str) -> None:
    """A registered id is answered under every policy, in every position clients put it."""
    home = registered(stack.settings("ios"), "ios", "Home")
    headers = {"authorization": f"Bearer {token}", "apollo-require-preflight": "true"}
    extensions = _apq(None, home.id)["extensions"]
    own = hashlib.sha256(home.body.encode()).hexdigest()
    async with stack.gateway("ios", environment={"BFF__DOCUMENTS__POLICY": policy}) as client:
        bodies = [
            {"extensions": extensions},
            {"documentId": home.id},
            {"documentId": f"sha256:{own}"},
            {"id": home.id},
            {"doc_id": home.id},
        ]
        answers = [await client.post("/graphql", json=body, headers=headers) for body in bodies]
        queries = [
            {"extensions": json.dumps(extensions)},
            {"documentId": home.id},
            {"id": home.id},
            {"doc_id": home.id},
        ]
        answers += [await client.get("/graphql", params=q, headers=headers) for q in queries]
        answers.append(await client.get(f"/documents/{home.id}/Home", headers=headers))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["home"]["viewer"]["displayName"] == "Demo Reader"


async def test_production_shows_no_schema(stack: Stack) -> None:
    """Outside development: no introspection, no suggestions, no GraphiQL, no upstream facts."""
    closed = {"BFF_ENV": "production", "BFF__DOCUMENTS__POLICY": "open"}
    async with stack.gateway("ios", environment=closed) as client:
        schema = await client.post("/graphql", json={"query": "{ __schema { types { name } } }"})
        typo = await client.post("/graphql", json={"query": "{ hom { viewer { id } } }"})
        page = await client.get("/graphql", headers={"accept": "text/html"})
        plain = await client.post("/graphql", json={"query": TEXT})
    assert schema.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "Did you mean" not in typo.text
    assert "text/html" not in page.headers["content-type"]
    assert "extensions" not in plain.json()
    assert "server-timing" not in plain.headers


async def test_members_do_not_harm_each_other(stack: Stack) -> None:
    """An id no service would take, or a made-up cursor, costs its own member of an array; the
    screen beside it is the same as alone."""
    document = registered(stack.settings("web"), "web", "PublicContent").id
    good = {"documentId": document, "variables": {"id": "itm_00010"}}
    bad_id = {"documentId": document, "variables": {"id": "x" * 65}}
    comments = 'comments(first: 5, after: "made-up") { totalCount }'
    bad_cursor = {"query": f'{{ content(id: "itm_00010") {{ {comments} }} }}'}
    async with stack.gateway("web") as client:
        alone = (await client.post("/graphql", json=good)).json()
        together = (await client.post("/graphql", json=[good, bad_id, bad_cursor])).json()
    assert together[0]["data"] == alone["data"]
    assert "errors" not in together[0]
    assert together[1]["data"]["content"]["item"] is None
    assert together[2]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
