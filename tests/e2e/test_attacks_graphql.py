"""S1: what an attacker tries at a GraphQL endpoint that is closed as in production.

Every attack is answered within a second, by a refusal, in words that tell nothing; the gateway goes
on. What a head, a body or a token must be like is proven elsewhere (docs/threat-model.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from bff.commands.processes import Child
from tests.harness.attacks import Attack, closed_gateway, send, survived
from tests.harness.stack import Stack, registered

pytestmark = pytest.mark.modeless

TEXT = "{ __typename }"
HOME = "{ home { viewer { handle } } }"
SHA = hashlib.sha256(TEXT.encode()).hexdigest()
REFUSED = {
    "DOCUMENT_NOT_REGISTERED",
    "DOCUMENT_TEXT_NOT_REGISTERED",
    "DOCUMENT_ID_REQUIRED",
    "PERSISTED_QUERY_MISMATCH",
    "BAD_REQUEST",
    "METHOD_NOT_ALLOWED",
    "UNSUPPORTED_MEDIA_TYPE",
    "GRAPHQL_VALIDATION_FAILED",
}


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> Iterator[Child]:
    with closed_gateway(stack) as child:
        yield child


@pytest.fixture(scope="module")
def home(stack: Stack) -> str:
    """The id of a registered document."""
    return registered(stack.settings("ios"), "ios", "Home").id


def _apq(sha: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha}}}
    return {**body, **({"query": text} if text is not None else {}), **more}


def _get(name: str, **query: str) -> Attack:
    headers = {"apollo-require-preflight": "true"}
    return Attack(name, method="GET", query=query, headers=headers)


BYPASSES = [
    Attack("text", {"query": TEXT}),
    Attack("text beside null id", {"query": TEXT, "documentId": None}),
    Attack("text beside empty id", {"query": TEXT, "documentId": ""}),
    Attack("text beside unknown id", {"query": TEXT, "documentId": "f" * 64}),
    Attack("text with its hash", _apq(SHA, TEXT)),
    Attack("hash alone after the text", _apq(SHA)),
    Attack("text with another hash", _apq("0" * 64, TEXT)),
    Attack("text with an upper-case hash", _apq(SHA.upper(), TEXT)),
    Attack("text with a padded hash", _apq(f" {SHA} ", TEXT)),
    Attack("text as documentId", {"documentId": TEXT}),
    Attack("text as id", {"id": TEXT}),
    Attack("id of another algorithm", {"documentId": "md5:" + "0" * 32}),
    Attack("id with a NUL", {"documentId": "sha256:" + "0" * 63 + "\0"}),
    Attack("id as a list", {"documentId": [SHA]}),
    Attack("id as an object", {"documentId": {"$ne": ""}}),
    Attack("id that is a path", {"documentId": "../../documents/ios"}),
    Attack("name of an operation as id", {"documentId": "Home"}),
    Attack("operation name alone", {"operationName": "Home"}),
    Attack("text under another key", {"Query": TEXT, "QUERY": TEXT, "mutation": TEXT}),
    Attack(
        "text in extensions", {"extensions": {"query": TEXT, "persistedQuery": {"query": TEXT}}}
    ),
    Attack("text twice", b'{"documentId":"x","query":"' + TEXT.encode() + b'","query":"{a}"}'),
    Attack("text in an array", [{"query": TEXT}]),
    Attack("text behind a good id in an array", [{"documentId": "f" * 64}, {"query": HOME}]),
    _get("text by GET", query=TEXT),
    _get("text and hash by GET", query=TEXT, extensions=json.dumps(_apq(SHA)["extensions"])),
    Attack("text in a URL of a POST", {}, query={"query": TEXT}),
    Attack(
        "text as application/graphql",
        TEXT.encode(),
        headers={"content-type": "application/graphql"},
    ),
    Attack(
        "text as a document's URL",
        method="GET",
        path="/documents/%7B__typename%7D/x",
        headers={"apollo-require-preflight": "true"},
    ),
]


@pytest.mark.parametrize("attack", BYPASSES, ids=str)
def test_only_registered_texts_run(gateway: Child, attack: Attack) -> None:
    """No spelling of a request makes a text run that no release brought along."""
    told = survived(gateway.url, attack)
    assert told.codes
    assert told.codes <= REFUSED
    assert told.data == []


async def test_a_registered_text_runs(gateway: Child, home: str) -> None:
    """The refusals above are not of everything: a registered id is answered."""
    assert send(gateway.url, Attack("home", {"documentId": home})).status == 200


PROBES = [
    *(
        Attack(f"introspection: {name}", {"query": text})
        for name, text in {
            "schema": "{ __schema { types { name fields { name } } } }",
            "type": '{ __type(name: "Query") { fields { name } } }',
            "alias": "{ a: __schema { queryType { name } } }",
            "fragment": "{ ...f } fragment f on Query { __schema { types { name } } }",
            "directive": "{ __schema @include(if: true) { types { name } } }",
            "service": "{ _service { sdl } }",
            "comma and comment": "{ #\n,__schema,{ types { name } } }",
        }.items()
    ),
    *(
        Attack(f"suggestion: {name}", {"query": text})
        for name, text in {
            "field": "{ hom { viewer { handle } } }",
            "argument": "{ content(idd: 1) { id } }",
            "type": "query ($a: Conten) { __typename }",
            "fragment": "{ ... on Hom { x } }",
        }.items()
    ),
]


SCHEMA_NAMES = (b"HomeScreen", b"ContentScreen", b"displayName", b"queryType", b"subscriptionType")


def _learns_nothing(url: str, attack: Attack) -> None:
    told = survived(url, attack)
    assert told.data == []
    assert told.codes <= REFUSED
    asked = attack.body["query"].encode()
    assert [name for name in SCHEMA_NAMES if name in told.body and name not in asked] == []


@pytest.mark.parametrize("attack", PROBES, ids=str)
def test_the_schema_stays_unknown(gateway: Child, attack: Attack) -> None:
    """Introspection and misspelt names teach nothing."""
    _learns_nothing(gateway.url, attack)


@pytest.mark.verify
@pytest.mark.parametrize("attack", PROBES, ids=str)
def test_open_policy_teaches_nothing(open_gateway: Child, attack: Attack) -> None:
    """Nor do they in production where texts are taken."""
    _learns_nothing(open_gateway.url, attack)


CLOSED_PATHS = [
    "/graphiql",
    "/playground",
    "/graphql/",
    "/graphql/console",
    "/v1/graphql",
    "/api",
    "/admin",
    "/debug/vars",
    "/openapi.json",
    "/docs",
    "/.env",
    "/.git/config",
    "/static/../bff/app.py",
    "/documents/..%2f..%2fmetrics",
    "//healthz/..//metrics",
    "/server-status",
]


@pytest.mark.parametrize("path", CLOSED_PATHS)
def test_nothing_else_is_there(gateway: Child, path: str) -> None:
    """Paths that tools try are not there, and say no more than that."""
    told = survived(gateway.url, Attack(path, method="GET", path=path))
    assert (told.status, told.codes) == (404, {"NOT_FOUND"})


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods_do_nothing(gateway: Child, home: str, method: str) -> None:
    """Only GET, HEAD and POST do anything, TRACE repeats nothing."""
    told = survived(
        gateway.url,
        Attack(method, {"documentId": home}, method=method, headers={"x-secret": "canary"}),
    )
    assert told.status in (400, 404, 405)
    assert b"canary" not in told.body


def test_metrics_are_not_there(gateway: Child) -> None:
    """In production the port of apps has no metrics, and readiness says no more than whether."""
    metrics = send(gateway.url, Attack("metrics", method="GET", path="/metrics"))
    ready = send(gateway.url, Attack("ready", method="GET", path="/readyz"))
    assert metrics.status == 404
    assert ready.status == 200
    assert b"identity" not in ready.body


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html"},
        {"apollo-federation-include-trace": "ftv1"},
        {"x-debug": "1", "x-graphql-debug": "true"},
        {"x-apollo-tracing": "1", "hive-laboratory": "1"},
        {
            "x-http-method-override": "DELETE",
            "x-original-url": "/metrics",
            "x-rewrite-url": "/metrics",
        },
    ],
)
def test_headers_open_nothing(gateway: Child, home: str, headers: dict[str, str]) -> None:
    """No header switches on a page, a trace, another path or another method."""
    told = survived(gateway.url, Attack("headers", {"documentId": home}, headers=headers))
    assert told.status == 200
    assert told.headers["content-type"].startswith("application/")
    assert not {"server-timing", "x-powered-by"} & told.headers.keys()
    # The screen is a guest's: sections say how they fared, and nothing else is told.
    found = json.loads(told.body)
    assert not {"tracing", "upstream", "plan", "debug"} & found.get("extensions", {}).keys()


FORMS = {"content-type": "application/x-www-form-urlencoded"}
COOKIE = {"cookie": "session=1"}
CSRF = [
    *(
        Attack(
            f"POST as {kind or 'nothing'}",
            b'{"query":"{a}"}',
            headers={"content-type": kind, **COOKIE},
        )
        for kind in (
            "",
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "text/html",
            "application/jsonp",
            "application/json-seq",
        )
    ),
    Attack("form", b"query=%7Ba%7D", headers={**FORMS, **COOKIE}),
    Attack("GET text", method="GET", query={"query": TEXT}, headers=COOKIE),
    Attack("GET id", method="GET", query={"documentId": "f" * 64}, headers=COOKIE),
    Attack("GET mutation", method="GET", query={"query": "mutation { a }"}, headers=COOKIE),
    Attack("HEAD id", method="HEAD", query={"documentId": "f" * 64}, headers=COOKIE),
    Attack("GET as JSONP", method="GET", query={"query": TEXT, "callback": "x"}, headers=COOKIE),
    Attack("document by GET", method="GET", path=f"/documents/{'f' * 64}/Home", headers=COOKIE),
]


@pytest.mark.parametrize("attack", CSRF, ids=str)
def test_no_simple_request_runs(gateway: Child, attack: Attack) -> None:
    """What a foreign page can make a browser send without asking first is refused before anything
    is read of it (Fetch standard, simple requests)."""
    told = survived(gateway.url, attack)
    assert told.status in (403, 405, 415)
    if attack.method != "HEAD":
        assert told.codes <= {"CSRF_BLOCKED", "UNSUPPORTED_MEDIA_TYPE", "METHOD_NOT_ALLOWED"}
    assert "access-control-allow-origin" not in told.headers


def test_mutations_need_their_method(gateway: Child, stack: Stack) -> None:
    """A registered mutation sent by GET is refused even with a preflight header."""
    save = registered(stack.settings("ios"), "ios", "SaveItem").id
    headers = {"apollo-require-preflight": "true", **COOKIE}
    told = survived(
        gateway.url, Attack("GET", method="GET", query={"documentId": save}, headers=headers)
    )
    assert (told.status, told.codes) == (405, {"METHOD_NOT_ALLOWED"})


NESTED = b'{"documentId":"%b","variables":{"a":%b}}'


def _bomb(name: str, value: bytes) -> Attack:
    return Attack(name, NESTED % (b"f" * 64, value))


BOMBS = [
    _bomb("deep lists", b"[" * 30_000 + b"]" * 30_000),
    _bomb("deep objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    _bomb("deep lists without end", b"[" * 60_000),
    _bomb("huge integer", b"9" * 60_000),
    _bomb("huge exponent", b"1e999999999"),
    _bomb("huge string", b'"' + b"x" * 65_000 + b'"'),
    _bomb("escapes", b'"' + b"\\u0041" * 10_000 + b'"'),
    _bomb("lone surrogates", b'"' + b"\\ud800" * 10_000 + b'"'),
    _bomb("long list", b"[" + b"1," * 30_000 + b"1]"),
    _bomb("many keys", b"{" + b",".join(b'"%d":1' % n for n in range(6_000)) + b"}"),
    _bomb("equal keys", b"{" + b",".join(b'"a":1' for _ in range(6_000)) + b"}"),
    _bomb("colliding keys", b"{" + b",".join(b'"%b":1' % (b"a" * n) for n in range(300)) + b"}"),
    Attack("batch of many", b"[" + b",".join([b"{}"] * 10_000) + b"]"),
    Attack("batch of batches", b"[" * 1_000 + b"]" * 1_000),
    Attack("large body", b" " * 2_000_000),
    Attack("compressed", b"\x1f\x8b" + b"\0" * 1_000, headers={"content-encoding": "gzip"}),
    Attack("long URL", method="GET", path="/documents/" + "a" * 20_000 + "/x"),
    Attack("many parameters", method="GET", query={f"p{n}": "1" for n in range(2_000)}),
    Attack("many headers", {}, headers={f"x-{n}": "1" for n in range(99)}),
    Attack("long Accept", {}, headers={"accept": ",".join(["a/b;q=0.1"] * 2_500)}),
    Attack("long If-None-Match", {}, headers={"if-none-match": ",".join(['W/"x"'] * 4_000)}),
    Attack("no UTF-8", b'{"documentId":"\xff\xfe\xfd"}'),
    Attack("UTF-16", json.dumps({"documentId": "x"}).encode("utf-16")),
    Attack("directional marks", {"documentId": "\u202e\u2066\ufeff" * 1_000}),
]


@pytest.mark.parametrize("attack", BOMBS, ids=str)
def test_bombs_are_defused(gateway: Child, attack: Attack) -> None:
    """Bodies, URLs and headers made to be costly are refused within a second."""
    told = survived(gateway.url, attack)
    assert told.status in (0, 200, 400, 403, 404, 413, 415, 431)
    if told.status == 200:
        assert told.codes <= {"DOCUMENT_NOT_REGISTERED"}


def _text(name: str, text: str) -> Attack:
    return Attack(name, {"query": text})


TEXT_BOMBS = [
    _text("deep fields", "{ home " * 3_000 + "{ a }" + " }" * 3_000),
    _text("aliases", "{" + " ".join(f"a{n}: __typename" for n in range(4_000)) + "}"),
    _text(
        "aliased screens",
        "{" + " ".join(f"a{n}: home {{ viewer {{ id }} }}" for n in range(25)) + "}",
    ),
    _text("one field often", "{" + " __typename" * 5_000 + "}"),
    _text("one directive often", "{ __typename" + " @skip(if: false)" * 3_000 + "}"),
    _text("unknown directives", "{ __typename" + " @x" * 10_000 + "}"),
    _text("fragment cycle", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"),
    _text(
        "fragments that double",
        "{ ...f0 } "
        + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60))
        + " fragment f60 on Query { __typename }",
    ),
    _text(
        "fields that must be merged",
        "{" + " ".join(f"home {{ viewer {{ id a{n}: handle }} }}" for n in range(100)) + "}",
    ),
    _text("deep list literal", "{ content(id: " + "[" * 5_000 + "]" * 5_000 + ") { id } }"),
    _text("deep list type", "query ($a: " + "[" * 5_000 + "ID" + "]" * 5_000 + ") { __typename }"),
    _text(
        "many variables",
        "query (" + " ".join(f"$v{n}: ID" for n in range(2_000)) + ") { __typename }",
    ),
    _text("many operations", " ".join(f"query q{n} {{ __typename }}" for n in range(1_500))),
    _text("long string", '{ content(id: "' + "x" * 60_000 + '") { id } }'),
    _text("block strings", "{ content(id: " + '"""a""" ' * 8_000 + ") { id } }"),
    _text("comments", "#" + "x" * 60_000 + "\n{ __typename }"),
    _text(
        "circular introspection", "{ __schema { types { fields { type { fields { name } } } } } }"
    ),
]


@pytest.fixture(scope="module")
def open_gateway(stack: Stack) -> Iterator[Child]:
    """As in production, but for the policy: texts are read here."""
    with closed_gateway(stack, more={"BFF__DOCUMENTS__POLICY": "open"}) as child:
        yield child


@pytest.mark.verify
@pytest.mark.parametrize("attack", TEXT_BOMBS, ids=str)
def test_text_bombs_are_defused(open_gateway: Child, attack: Attack) -> None:
    """Where texts are taken, those made to be costly are refused within a second, or cost no more
    than a screen."""
    told = survived(open_gateway.url, attack)
    assert told.status in (200, 400, 413)


SMUGGLED = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
START = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
SMUGGLING = {
    "length and chunks": b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"content-length: 2\r\ncontent-length: 0\r\n\r\n{}",
    "a list of lengths": b"content-length: 2, 0\r\n\r\n{}",
    "negative length": b"content-length: -1\r\n\r\n",
    "length with a plus": b"content-length: +2\r\n\r\n{}",
    "hexadecimal length": b"content-length: 0x2\r\n\r\n{}",
    "length before a colon": b"content-length : 2\r\n\r\n{}",
    "chunked twice": b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked misspelt": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a tab": b"transfer-encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
    "folded header": b"x: a\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
    "bare line feeds": b"content-length: 0\n\n",
    "NUL in a header": b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "chunk size with a sign": b"transfer-encoding: chunked\r\n\r\n+0\r\n\r\n",
    "chunk size too large": b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
    "no version": b"",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_no_second_request_slips_in(gateway: Child, name: str) -> None:
    """However a body's length is told twice or wrongly, nothing hidden behind it is answered as a
    request that the proxy in front would not have seen: the connection ends, or the length it goes
    by is the one of RFC 9112 section 6.3."""
    start = START if name != "no version" else b"GET /graphql\r\n\r\n"
    told = survived(gateway.url, Attack(name, raw=start + SMUGGLING[name] + SMUGGLED))
    assert told.status in (0, 200, 400, 403, 408, 415, 431), told
    assert told.status == 0 or told.codes <= {"BAD_REQUEST", "CSRF_BLOCKED", "REQUEST_TIMEOUT"}


def test_attacks_are_many() -> None:
    """The list is as long as was promised: 95 cases at least."""
    methods, headers = 6, 5
    attacks = [*BYPASSES, *PROBES, *CSRF, *BOMBS, *TEXT_BOMBS]
    assert len(attacks) + len(CLOSED_PATHS) + len(SMUGGLING) + methods + headers >= 95
    assert len(BYPASSES) >= 20
    assert len(BOMBS) + len(TEXT_BOMBS) >= 21
    assert len(CSRF) >= 14
