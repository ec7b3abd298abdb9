"""bff/edge/body.py: which bodies are read, and how much of them."""

import pytest

from bff.edge.body import check_media_type
from bff.errors import UnsupportedMediaType
from tests.unit.bff.edge.fakes import HASH, call, chunks, code, edge


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; profile=x",
    ],
)
def test_json_in_utf8_is_read(content_type: str) -> None:
    """Every spelling of JSON in UTF-8 is accepted."""
    check_media_type({b"content-type": content_type.encode()})


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain, application/json",
        "application/json, text/plain",
        "text/plain; application/json",
        "application/graphql",
        "application/graphql+json",
        "application/vnd.api+json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=",
        "text/plain; " + "x" * 500,
    ],
)
def test_other_types_are_refused(content_type: str) -> None:
    """Whatever is not JSON in UTF-8 is UNSUPPORTED_MEDIA_TYPE."""
    with pytest.raises(UnsupportedMediaType, match="content-type"):
        check_media_type({b"content-type": content_type.encode()})


def test_missing_type_is_refused() -> None:
    """A body of undeclared type is not guessed at."""
    with pytest.raises(UnsupportedMediaType, match="missing"):
        check_media_type({})


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "x-made-up", "gzip, identity"])
def test_compressed_bodies_are_refused(coding: str) -> None:
    """No content coding is undone, so nothing can blow up in memory."""
    headers = {b"content-type": b"application/json", b"content-encoding": coding.encode()}
    with pytest.raises(UnsupportedMediaType, match="content-encoding"):
        check_media_type(headers)


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_identity_coding_is_allowed(coding: str) -> None:
    """`identity` is the absence of a coding."""
    check_media_type({b"content-type": b"application/json", b"content-encoding": coding.encode()})


async def test_declared_length_refused_unread() -> None:
    """A declared length over the cap is refused before one byte is asked for."""
    served = edge(max_body_bytes=100)

    async def never() -> dict[str, object]:
        raise AssertionError("the body was read")

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"101")],
    }
    await served.app(scope, never, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("length", ["9" * 400, "101"])
async def test_long_lengths_are_too_large(length: str) -> None:
    """A length of any number of digits is compared, never choked on."""
    served = edge(max_body_bytes=100)
    headers = {"content-type": "application/json", "content-length": length}
    response = await served.http.post("/graphql", content=b"{}", headers=headers)
    assert (response.status_code, code(response)) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("length", ["-1", "1e2", "abc", "1, 1", "0x10"])
async def test_lengths_must_be_numbers(length: str) -> None:
    """A length that is no number is a bad request."""
    served = edge()
    headers = {"content-type": "application/json", "content-length": length}
    response = await served.http.post("/graphql", content=b"{}", headers=headers)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


async def test_streamed_body_is_counted() -> None:
    """Without a declared length the bytes are counted as they come."""
    served = edge(max_body_bytes=100)
    headers = {"content-type": "application/json"}
    body = chunks(b'{"query":"', b" " * 60, b" " * 60, b'"}')
    response = await served.http.post("/graphql", content=body, headers=headers)
    assert (response.status_code, code(response)) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("extra", [0, 1])
async def test_cap_is_exact(extra: int) -> None:
    """A body of exactly the cap passes, one byte more does not, in one piece or two."""
    body = b'{"documentId":"x"}'
    served = edge(max_body_bytes=len(body))
    padded = body + b" " * extra
    whole = await call(served.app, {"type": "http.request", "body": padded})
    split = await call(
        served.app,
        {"type": "http.request", "body": padded[:5], "more_body": True},
        {"type": "http.request", "body": padded[5:], "more_body": False},
    )
    assert whole[0]["status"] == split[0]["status"] == (413 if extra else 200)


async def test_split_body_is_joined() -> None:
    """A body in pieces means what it means in one."""
    served = edge()
    body = chunks(b'{"documentId":', b'"sha256:', HASH.encode(), b'"}')
    headers = {"content-type": "application/json"}
    response = await served.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == 200
    assert served.pipeline.requests[0].document_id == f"sha256:{HASH}"


@pytest.mark.parametrize(
    "before", [[], [{"type": "http.request", "body": b"{", "more_body": True}]]
)
async def test_gone_client_gets_nothing(
    before: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that leaves while sending is answered nothing and logged nowhere."""
    served = edge()
    sent = await call(served.app, *before, {"type": "http.disconnect"})
    assert sent == []
    assert capsys.readouterr().out == ""
    (report,) = served.told.reports
    assert (report.status, report.codes) == (None, ())
