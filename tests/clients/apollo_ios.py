"""What Apollo iOS sends, and what it makes of an answer; read from its sources at 2.4.0 and 1.24.0.

Bodies have their keys sorted and slashes escaped (JSONSerialization with `sortedKeys`). The build
is part of the client version. 1.x sent X-APOLLO-OPERATION-* headers, 2.x does not.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.clients.raw_http import Incoming
from tests.clients.recorded import Recording, ResponseCodeError, Result, result_of

NEWEST = "7.3.0+801"
OLDER = "7.2.0+790"

ACCEPT = (
    "Accept: multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json"
)
PREFLIGHT = "Apollo-Require-Preflight: true"
JSON_BODY = "Content-Type: application/json"


def _system(release: str) -> tuple[str, ...]:
    """What the library and URLSession add to every request of an app."""
    return (
        ACCEPT,
        "apollographql-client-name: com.example.reader-apollo-ios",
        f"apollographql-client-version: {release}",
        "Authorization: Bearer @TOKEN@",
        "User-Agent: Reader/801 CFNetwork/3860.100.1 Darwin/25.0.0",
        "Accept-Language: en-GB,en;q=0.9",
        "Accept-Encoding: gzip, deflate, br",
        "Connection: keep-alive",
    )


V2 = _system(NEWEST)
V1 = (
    *_system(OLDER),
    "X-APOLLO-OPERATION-NAME: @NAME@",
    "X-APOLLO-OPERATION-TYPE: @TYPE@",
    "X-APOLLO-OPERATION-ID: @ID@",
)

_LIBRARY_2 = '"clientLibrary":{"name":"apollo-ios","version":"2.4.0"}'
_LIBRARY_1 = '"clientLibrary":{"name":"apollo-ios","version":"1.24.0"}'
_PERSISTED = '"persistedQuery":{"sha256Hash":"@ID@","version":1}'
_LIBRARY_IN_URL = "%22clientLibrary%22:%7B%22name%22:%22apollo-ios%22,%22version%22:%222.4.0%22%7D"
_PERSISTED_IN_URL = "%22persistedQuery%22:%7B%22sha256Hash%22:%22@ID@%22,%22version%22:1%7D"
_EXTENSIONS_IN_URL = f"extensions=%7B{_LIBRARY_IN_URL},{_PERSISTED_IN_URL}%7D"


def escape(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.replace("/", "\\/")


def encode(value: str) -> str:
    """URLComponents' query items, and `+` and `;` besides."""
    return quote(value, safe="!$'()*,-./:?@_~")


def _post(headers: tuple[str, ...], body: str) -> Recording:
    return Recording("POST /graphql", (JSON_BODY, *headers), body, escape, encode)


def _get(headers: tuple[str, ...], query: str) -> Recording:
    return Recording(f"GET /graphql?{query}", headers, None, escape, encode)


BY_ID = _post(
    V2,
    f'{{"extensions":{{{_LIBRARY_2},{_PERSISTED}}},"operationName":"@NAME@",'
    '"variables":@VARIABLES@}',
)
BY_ID_NO_VARIABLES = _post(
    V2, f'{{"extensions":{{{_LIBRARY_2},{_PERSISTED}}},"operationName":"@NAME@"}}'
)
RETRY = _post(
    V2,
    f'{{"extensions":{{{_LIBRARY_2},{_PERSISTED}}},"operationName":"@NAME@",'
    '"query":"@TEXT@","variables":@VARIABLES@}',
)
# Subscriptions and uploads always, everything where automatic ids are off.
TEXT_ALONE = _post(
    V2,
    f'{{"extensions":{{{_LIBRARY_2}}},"operationName":"@NAME@","query":"@TEXT@",'
    '"variables":@VARIABLES@}',
)
GET_BY_ID = _get(
    (*V2, PREFLIGHT), f"{_EXTENSIONS_IN_URL}&operationName=@NAME@&variables=@VARIABLES@"
)
GET_RETRY = _get(
    (*V2, PREFLIGHT),
    f"{_EXTENSIONS_IN_URL}&operationName=@NAME@&query=@TEXT@&variables=@VARIABLES@",
)
V1_BY_ID = _post(
    V1,
    f'{{"extensions":{{{_LIBRARY_1},{_PERSISTED}}},"operationName":"@NAME@",'
    '"variables":@VARIABLES@}',
)
V1_BEFORE_CLIENT_LIBRARY = _post(
    V1, f'{{"extensions":{{{_PERSISTED}}},"operationName":"@NAME@","variables":@VARIABLES@}}'
)
V1_GET_BY_ID = _get(
    V1, f"extensions=%7B{_PERSISTED_IN_URL}%7D&operationName=@NAME@&variables=@VARIABLES@"
)


def read(answer: Incoming) -> Result:
    """What the app is given. Raises ResponseCodeError for anything but 2xx, unread, and
    NotUnderstoodError for what is neither JSON type."""
    if not 200 <= answer.status <= 299:
        raise ResponseCodeError(str(answer.status))
    return result_of(answer)


def sends_text_next(result: Result) -> bool:
    """The message is compared letter by letter; the code is not looked at."""
    return any(error["message"] == "PersistedQueryNotFound" for error in result.errors)
