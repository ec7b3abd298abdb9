"""bff/edge/params.py: shapes of operation requests from bodies and URLs."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.edge.params import from_document_path, from_json, from_query
from bff.errors import BadRequest, RequestError, RequestTooLarge
from bff.request import OperationRequest
from tests.unit.bff.edge.fakes import HASH

PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}


def body(value: Any) -> OperationRequest:
    (only,) = from_json(value, max_batch_size=3).members
    assert isinstance(only, OperationRequest)
    return only


def url(**parameters: str) -> OperationRequest:
    return from_query(urlencode(parameters).encode(), max_bytes=10_000, max_depth=20)


def path(query: bytes = b"", name: str = "Home") -> OperationRequest:
    return from_document_path(HASH, name, query, max_bytes=10_000, max_depth=20)


def test_full_body_is_kept() -> None:
    """Every part of a request arrives where the pipeline reads it."""
    request = body(
        {
            "query": "query Home { home }",
            "operationName": "Home",
            "variables": {"first": 20},
            "extensions": PERSISTED,
        }
    )
    assert request == OperationRequest(
        document_id=HASH,
        text="query Home { home }",
        operation_name="Home",
        variables={"first": 20},
        extensions=PERSISTED,
        apq=True,
        read_only=False,
    )


def test_null_means_not_sent() -> None:
    """`null` for an optional parameter equals leaving it out."""
    nothing = dict.fromkeys(("operationName", "variables", "extensions", "documentId", "id"))
    assert body({"query": "{ home }", **nothing}) == OperationRequest(text="{ home }")


def test_unknown_keys_are_tolerated() -> None:
    """New clients may send more than we know, at the top and in extensions."""
    library = {"clientLibrary": {"name": "apollo-ios", "version": "2.4.0"}}
    request = body({"documentId": "x", "onError": "PROPAGATE", "new": [1], "extensions": library})
    assert (request.document_id, request.extensions) == ("x", library)


@pytest.mark.parametrize("asked", ["NULL", "HALT", "propagate", 1])
def test_other_error_behaviours_are_refused(asked: object) -> None:
    """A client that asks for nulls where none may be hears that it will not get them."""
    with pytest.raises(BadRequest, match="'onError' can only be PROPAGATE here"):
        body({"documentId": "x", "onError": asked})
    assert body({"documentId": "x", "onError": None}).document_id == "x"


def test_empty_text_with_id_is_no_text() -> None:
    """Some clients send an empty query beside the id: that is an id alone."""
    assert body({"documentId": "x", "query": ""}).text is None


WRONG_STRINGS: list[Any] = [{}, 0, False, ["a"]]
WRONG_OBJECTS: list[Any] = ["a", 0, False, ["a"]]
BAD_BODIES: list[Any] = [
    None,
    1,
    True,
    "query",
    {},
    {"query": ""},
    {"query": None},
    {"qeury": "{ home }"},
    *({"query": wrong} for wrong in WRONG_STRINGS),
    *({"query": "{ a }", "operationName": wrong} for wrong in WRONG_STRINGS),
    *({"query": "{ a }", "variables": wrong} for wrong in WRONG_OBJECTS),
    *({"query": "{ a }", "extensions": wrong} for wrong in WRONG_OBJECTS),
    {"documentId": 7},
    {"documentId": "a", "id": "b"},
]


@pytest.mark.parametrize("value", BAD_BODIES, ids=json.dumps)
def test_wrong_shapes_are_refused(value: Any) -> None:
    """A parameter of the wrong type, or no document at all, is BAD_REQUEST."""
    with pytest.raises(BadRequest):
        from_json(value, max_batch_size=3)


@pytest.mark.parametrize("value", BAD_BODIES, ids=json.dumps)
def test_bad_members_keep_their_place(value: Any) -> None:
    """In a batch each of them becomes an error of its own, in order, and harms nobody."""
    asked = from_json([{"documentId": "a"}, value, {"documentId": "b"}], max_batch_size=3)
    first, bad, last = asked.members
    assert asked.batch
    assert isinstance(bad, RequestError)
    assert isinstance(first, OperationRequest)
    assert isinstance(last, OperationRequest)


@pytest.mark.parametrize("size", [0, 4, 1000])
def test_batch_sizes_are_bounded(size: int) -> None:
    """An empty batch and one over the limit are refused as a whole."""
    with pytest.raises(BadRequest, match="1 to 3"):
        from_json([{"documentId": "a"}] * size, max_batch_size=3)


def test_nested_batches_are_refused() -> None:
    """An array inside an array is a bad member, not a batch."""
    (member,) = from_json([[{"documentId": "a"}]], max_batch_size=3).members
    assert isinstance(member, BadRequest)


def test_url_carries_the_same() -> None:
    """A GET is read like the body, `variables` and `extensions` as JSON text, and only reads."""
    request = url(
        operationName="Home",
        variables='{"first":20}',
        extensions=json.dumps(PERSISTED),
    )
    assert request == OperationRequest(
        document_id=HASH,
        operation_name="Home",
        variables={"first": 20},
        extensions=PERSISTED,
        apq=True,
        read_only=True,
    )


def test_url_may_carry_text() -> None:
    """urql retries an unknown id with a GET that carries the text, and `miss` beside the id."""
    missed = {"persistedQuery": {**PERSISTED["persistedQuery"], "miss": True}}
    request = url(query='{ home(q: "a+b&c") }', extensions=json.dumps(missed))
    assert (request.text, request.apq) == ('{ home(q: "a+b&c") }', True)


def test_empty_url_parameters_are_absent() -> None:
    """The empty string for an optional URL parameter equals leaving it out."""
    request = url(documentId="x", operationName="", variables="", extensions="", query="")
    assert request == OperationRequest(document_id="x", read_only=True)


def test_null_in_url_json() -> None:
    """`variables=null` is JSON null, so not sent; `operationName=null` is a name."""
    request = url(documentId="x", variables="null", operationName="null")
    assert (request.variables, request.operation_name) == ({}, "null")


BAD_QUERIES = {
    "nothing": b"",
    "no document": b"operationName=Home",
    "twice": b"documentId=a&documentId=a",
    "twice, one empty": b"documentId=&documentId=a",
    "unknown twice": b"documentId=a&utm=1&utm=2",
    "two ids": b"documentId=a&id=b",
    "variables no json": b"documentId=a&variables=%7B",
    "variables array": b"documentId=a&variables=%5B%5D",
    "variables text": b"documentId=a&variables=%22a%22",
    "extensions number": b"documentId=a&extensions=1",
    "duplicate keys inside": b"documentId=a&variables=" + quote('{"a":1,"a":2}').encode(),
    "nan inside": b"documentId=a&variables=" + quote('{"a":NaN}').encode(),
    "surrogate inside": b"documentId=a&variables=" + quote(r'{"a":"\ud800"}').encode(),
    "deep inside": b"documentId=a&variables=" + quote('{"a":' + "[" * 20 + "]" * 20 + "}").encode(),
    "invalid utf-8": b"documentId=%ff",
    "encoded surrogate": b"documentId=%ed%a0%80",
    "raw bytes": b"documentId=\xc3\xa9",
    "many": b"&".join(b"p%d=1" % index for index in range(40)),
}


@pytest.mark.parametrize("query", BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_bad_urls_are_refused(query: bytes) -> None:
    """Each of these is BAD_REQUEST."""
    with pytest.raises(BadRequest):
        from_query(query, max_bytes=10_000, max_depth=20)


def test_long_urls_are_too_large() -> None:
    """A URL may not carry more than a body may."""
    with pytest.raises(RequestTooLarge, match="10 bytes"):
        from_query(b"query=" + b"a" * 5, max_bytes=10, max_depth=20)


def test_path_names_document_and_operation() -> None:
    """The stable URL needs variables at most; its id is not APQ and nothing is written."""
    assert path(b"variables=%7B%22first%22%3A1%7D") == OperationRequest(
        document_id=HASH, operation_name="Home", variables={"first": 1}, read_only=True
    )


@pytest.mark.parametrize(
    "query",
    [
        b"query=%7B%20home%20%7D",
        b"operationName=Other",
        b"documentId=other",
        b"extensions=" + quote('{"persistedQuery":{"version":1,"sha256Hash":"other"}}').encode(),
    ],
)
def test_path_cannot_be_contradicted(query: bytes) -> None:
    """Parameters that say other than the path, or bring a text, are BAD_REQUEST."""
    with pytest.raises(BadRequest):
        path(query)


def test_path_may_be_repeated() -> None:
    """Saying the same again in the parameters does no harm."""
    repeated = b"operationName=Home&documentId=sha256%3A" + HASH.encode()
    assert path(repeated).document_id == f"sha256:{HASH}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
keys = st.sampled_from(
    ["query", "operationName", "variables", "extensions", "documentId", "id", "doc_id", "onError"]
)
persisted = st.fixed_dictionaries(
    {}, optional={"version": json_values, "sha256Hash": json_values, "miss": json_values}
)
requests = st.dictionaries(keys, json_values | persisted.map(lambda p: {"persistedQuery": p}))


@settings(deadline=None)
@given(value=requests | json_values | st.lists(requests, max_size=5))
def test_json_never_surprises(value: Any) -> None:
    """Any JSON value is operations of sound types or BAD_REQUEST, never another exception."""
    try:
        asked = from_json(value, max_batch_size=3)
    except BadRequest:
        return
    for member in asked.members:
        if isinstance(member, OperationRequest):
            assert member.text or member.document_id
            assert isinstance(member.variables, dict)


@settings(deadline=None)
@given(query=st.binary(max_size=100) | st.text('abdiqu=&+%7B{}[]:",1', max_size=60).map(str.encode))
def test_queries_never_surprise(query: bytes) -> None:
    """Any query component is an operation or a refusal, never another exception."""
    try:
        request = from_query(query, max_bytes=80, max_depth=5)
    except RequestError:
        return
    assert request.read_only
