"""What Apollo Kotlin sends, and what it makes of an answer; read from its sources at 5.1 and 4.x.

Version 5 writes `query, operationName, variables, extensions` and leaves out what is empty; early
builds of it wrote a null `query`. Version 4 wrote `operationName, variables, query, extensions`.
The build is a header of the app's own.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.clients.raw_http import Incoming, Outgoing
from tests.clients.recorded import (
    NotUnderstoodError,
    Recording,
    ResponseCodeError,
    Result,
    as_result,
    result_of,
)

NEWEST = "6.9.0+2310"
OLDER = "6.8.1+2264"

PREFLIGHT = "Apollo-Require-Preflight: true"
JSON_BODY = "Content-Type: application/json"
# The chunk okio's buffer writes is 8 KiB; small ones show more of how bodies are put together.
CHUNK = 700


def _system(release: str) -> tuple[str, ...]:
    """What the library, the app's interceptors and OkHttp add to every request."""
    version, _, build = release.partition("+")
    return (
        "Accept: multipart/mixed;deferSpec=20220824, application/graphql-response+json, "
        "application/json",
        "apollographql-client-name: com.example.reader",
        f"apollographql-client-version: {version}",
        f"x-app-build: {build}",
        "Authorization: Bearer @TOKEN@",
        "Connection: Keep-Alive",
        "Accept-Encoding: gzip",
        "User-Agent: okhttp/5.1.0",
    )


V5 = _system(NEWEST)
V4 = _system(OLDER)

_EXTENSIONS_5 = (
    '"extensions":{"persistedQuery":{"version":1,"sha256Hash":"@ID@"},'
    '"clientLibrary":{"name":"apollo-kotlin","version":"5.1.0"}}'
)
_LIBRARY_ALONE = '"extensions":{"clientLibrary":{"name":"apollo-kotlin","version":"5.1.0"}}'
_EXTENSIONS_4 = (
    '"extensions":{"persistedQuery":{"version":1,"sha256Hash":"@ID@"},'
    '"clientLibrary":{"name":"apollo-kotlin","version":"4.3.1"}}'
)
_EXTENSIONS_IN_URL = (
    "extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22@ID@%22%7D"
    "%2C%22clientLibrary%22%3A%7B%22name%22%3A%22apollo-kotlin%22%2C%22version%22%3A%225.1.0%22"
    "%7D%7D"
)


def escape(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(value: str) -> str:
    """Everything but the unreserved characters of RFC 3986."""
    return quote(value, safe="")


def _post(headers: tuple[str, ...], body: str) -> Recording:
    return Recording("POST /graphql", (*headers, JSON_BODY), body, escape, encode)


def _get(headers: tuple[str, ...], query: str) -> Recording:
    return Recording(f"GET /graphql?{query}", (PREFLIGHT, *headers), None, escape, encode)


BY_ID = _post(V5, f'{{"operationName":"@NAME@","variables":@VARIABLES@,{_EXTENSIONS_5}}}')
BY_ID_NO_VARIABLES = _post(V5, f'{{"operationName":"@NAME@",{_EXTENSIONS_5}}}')
BY_ID_NULL_QUERY = _post(
    V5, f'{{"query":null,"operationName":"@NAME@","variables":@VARIABLES@,{_EXTENSIONS_5}}}'
)
BY_ID_ON_ERROR = _post(
    V5,
    f'{{"operationName":"@NAME@","variables":@VARIABLES@,{_EXTENSIONS_5},"onError":"PROPAGATE"}}',
)
RETRY = _post(
    V5, f'{{"query":"@TEXT@","operationName":"@NAME@","variables":@VARIABLES@,{_EXTENSIONS_5}}}'
)
TEXT_ALONE = _post(
    V5, f'{{"query":"@TEXT@","operationName":"@NAME@","variables":@VARIABLES@,{_LIBRARY_ALONE}}}'
)
# What `autoPersistedQueries()` does first with every query.
GET_BY_ID = _get(V5, f"operationName=@NAME@&variables=@VARIABLES@&{_EXTENSIONS_IN_URL}")
GET_BY_ID_NO_VARIABLES = _get(V5, f"operationName=@NAME@&{_EXTENSIONS_IN_URL}")
V4_BY_ID = _post(V4, f'{{"operationName":"@NAME@","variables":@VARIABLES@,{_EXTENSIONS_4}}}')
V4_RETRY = _post(
    V4, f'{{"operationName":"@NAME@","variables":@VARIABLES@,"query":"@TEXT@",{_EXTENSIONS_4}}}'
)


def batched(members: list[Outgoing]) -> Outgoing:
    """What the batching interceptor sends for them: an array whose length it does not know, and of
    the headers only those that are the same in all."""
    common = [line for line in members[0].headers if all(line in m.headers for m in members)]
    body = b"[" + b",".join(member.body or b"" for member in members) + b"]"
    chunks = tuple(body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    return Outgoing("POST /graphql", tuple(common), chunks=chunks)


def read(answer: Incoming) -> Result:
    """What the app is given. Beyond 2xx only the GraphQL media type is read, else it raises
    ResponseCodeError; NotUnderstoodError for what is neither JSON type."""
    readable = answer.media_type == "application/graphql-response+json"
    if not 200 <= answer.status <= 299 and not readable:
        raise ResponseCodeError(str(answer.status))
    return result_of(answer)


def sends_text_next(result: Result) -> bool:
    """The message is compared, capitals or not."""
    return any(error["message"].lower() == "persistedquerynotfound" for error in result.errors)


def read_batch(answer: Incoming, asked: int) -> list[Result]:
    """What each caller of a batch is given: 2xx, an array of as many, in order, none of them null.

    Raises ResponseCodeError and NotUnderstoodError; either fails every call of the batch.
    """
    if not 200 <= answer.status <= 299:
        raise ResponseCodeError(str(answer.status))
    members = json.loads(answer.body)
    if not isinstance(members, list) or len(members) != asked or None in members:
        raise NotUnderstoodError(f"not a list of {asked} answers: {answer.body[:200]!r}")
    return [as_result(member) for member in members]
