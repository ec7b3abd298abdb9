"""bff/documents/document_id.py: the one id of a request, wherever it stands."""

from typing import Any

import pytest

from bff.documents.document_id import FoundId, find_document_id
from bff.errors import BadRequest

HASH = "0123456789abcdef" * 4
PREFIXED = f"sha256:{HASH}"


def persisted(document_id: Any = HASH, version: Any = 1, **more: Any) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": document_id, **more}}


@pytest.mark.parametrize(
    ("parameters", "extensions", "path_id", "found"),
    [
        ({}, {}, None, FoundId(None, False)),
        ({}, persisted(), None, FoundId(HASH, True)),
        ({}, persisted("my-own-id"), None, FoundId("my-own-id", True)),
        ({}, persisted(miss=True, other=1), None, FoundId(HASH, True)),
        ({"documentId": PREFIXED}, {}, None, FoundId(PREFIXED, False)),
        ({"documentId": HASH}, {}, None, FoundId(HASH, False)),
        ({"id": "relay-7"}, {}, None, FoundId("relay-7", False)),
        ({"doc_id": "relay-7"}, {}, None, FoundId("relay-7", False)),
        ({}, {}, PREFIXED, FoundId(PREFIXED, False)),
        ({"documentId": None, "id": None}, {"persistedQuery": None}, None, FoundId(None, False)),
    ],
)
def test_every_position_is_read(
    parameters: dict[str, Any], extensions: dict[str, Any], path_id: str | None, found: FoundId
) -> None:
    """The id comes back as sent; only `persistedQuery` asks for registration."""
    assert find_document_id(parameters, extensions, path_id=path_id) == found


@pytest.mark.parametrize(
    ("parameters", "extensions", "path_id"),
    [
        ({"documentId": PREFIXED}, persisted(), None),
        ({"documentId": HASH, "id": PREFIXED, "doc_id": HASH}, persisted(PREFIXED), HASH),
        ({"id": "relay-7", "doc_id": "relay-7"}, {}, None),
        ({"id": HASH.upper()}, persisted(), PREFIXED),
    ],
)
def test_agreeing_positions_are_one(
    parameters: dict[str, Any], extensions: dict[str, Any], path_id: str | None
) -> None:
    """The same id twice is one id, and neither prefix nor case of a hash makes a difference."""
    found = find_document_id(parameters, extensions, path_id=path_id)
    assert found.apq is bool(extensions)
    assert found.document_id is not None


@pytest.mark.parametrize(
    ("parameters", "extensions", "path_id"),
    [
        ({"documentId": "a"}, persisted(), None),
        ({"documentId": "a", "id": "b"}, {}, None),
        ({"id": "a", "doc_id": "b"}, {}, None),
        ({"id": "a"}, {}, "b"),
        ({}, persisted(), "b"),
        ({"id": "sha256:abc", "doc_id": "abc"}, {}, None),
        ({"id": "Relay-7", "doc_id": "relay-7"}, {}, None),
    ],
)
def test_disagreeing_positions_are_refused(
    parameters: dict[str, Any], extensions: dict[str, Any], path_id: str | None
) -> None:
    """Two documents in one request are BAD_REQUEST: nobody should guess which was meant."""
    with pytest.raises(BadRequest, match="different documents"):
        find_document_id(parameters, extensions, path_id=path_id)


@pytest.mark.parametrize("version", [None, 0, 2, "1", True, 1.0, [1]])
def test_only_version_one(version: Any) -> None:
    """Any version but the number 1 is BAD_REQUEST."""
    with pytest.raises(BadRequest, match="version"):
        find_document_id({}, persisted(version=version))


@pytest.mark.parametrize("wrong", [7, True, [], {}, ["a"], "", "a" * 257])
@pytest.mark.parametrize("key", ["documentId", "id", "doc_id"])
def test_ids_are_bounded_strings(key: str, wrong: Any) -> None:
    """An id of another type, empty or endless, is BAD_REQUEST and the message names the key."""
    with pytest.raises(BadRequest, match=key):
        find_document_id({key: wrong}, {})


@pytest.mark.parametrize("wrong", [None, 7, "", [], "a" * 257])
def test_hashes_are_bounded_strings(wrong: Any) -> None:
    """`persistedQuery` without a sound hash is BAD_REQUEST."""
    with pytest.raises(BadRequest, match="sha256Hash"):
        find_document_id({}, persisted(wrong))


@pytest.mark.parametrize("wrong", ["x", 1, True, [], [persisted()]])
def test_persisted_query_is_object(wrong: Any) -> None:
    """`persistedQuery` of another type is BAD_REQUEST."""
    with pytest.raises(BadRequest, match="persistedQuery"):
        find_document_id({}, {"persistedQuery": wrong})
