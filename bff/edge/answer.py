"""Frames envelopes as HTTP answers: status, media type, caching, compression; sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import orjson

from bff.config import ClientConfig, EdgeConfig
from bff.edge.compression import compress
from bff.edge.head import Head
from bff.edge.negotiation import CONTENT_TYPE, JSON, negotiate
from bff.edge.notices import Notices
from bff.edge.statuses import status_of
from bff.errors import InternalError
from bff.request import ClientIdentity
from bff.response.envelope import Envelope
from bff.response.http_cache import Header, HttpCache, entity_tag, is_known
from bff.response.shape import failure
from bff.usage.counts import Used

_NO_STORE = (b"cache-control", b"no-store")
# A foreign page may neither frame ours nor give it another base; where its scripts are is its own.
_UNFRAMED = (
    b"content-security-policy",
    b"frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'none'",
)
# Too Many Requests, Service Unavailable: what is refused now will be taken later.
_COME_BACK = (429, 503)
NO_CLIENT_SETTINGS = ClientConfig()


class Answer(msgspec.Struct):
    """An HTTP answer and what is told of it. `body` is as sent on GET; HEAD sends none of it.
    `quiet`: counted where it was decided, and too many of it to log each. `anybodys`: caches give
    it to others, so it names no request."""

    status: int
    headers: list[Header]
    body: bytes = b""
    codes: tuple[str, ...] = ()
    content_encoding: str | None = None
    operations: int = 0
    upstream_calls: int = 0
    client: ClientIdentity | None = None
    field_codes: dict[str, int] = {}
    used: Used = ()
    quiet: bool = False
    anybodys: bool = False


def retry_after(milliseconds: int) -> Header:
    """RFC 9110 section 10.2.3: whole seconds, never too few."""
    return b"retry-after", b"%d" % (-(-milliseconds // 1000))


def json_answer(status: int, value: object, *headers: Header) -> Answer:
    """A small JSON answer that nobody may keep."""
    return Answer(status, [CONTENT_TYPE[JSON], _NO_STORE, *headers], orjson.dumps(value))


def html_answer(page: bytes) -> Answer:
    """A page for people, kept by nobody."""
    html = (b"content-type", b"text/html; charset=utf-8")
    return Answer(200, [html, _NO_STORE, _UNFRAMED], page)


def error_answer(status: int, code: str, message: str, *headers: Header) -> Answer:
    """A GraphQL-shaped error outside any operation."""
    entry = {"message": message, "extensions": {"code": code}}
    answer = json_answer(status, {"errors": [entry]}, *headers)
    answer.codes = (code,)
    return answer


def fault_answer(error: Exception, request_id: str) -> Answer:
    """What a client sees of a fault of ours: 500 and the code. The rest goes to the log."""
    envelope = failure(error, request_id)
    answer = json_answer(500, envelope.body())
    answer.codes = (InternalError.code,)
    return answer


class Framer:
    """Makes answers of envelopes by the edge's settings; lives as long as the process."""

    def __init__(self, settings: EdgeConfig, client: ClientConfig = NO_CLIENT_SETTINGS) -> None:
        self._compress_from = settings.compress_from_bytes
        self._upgrade_status = client.upgrade_status
        self._notices = Notices(client.deprecations_url)
        self._cache = HttpCache(
            settings.public_max_age_s,
            settings.public_stale_s,
            cookie_credential=settings.cookie_credential,
            by_origin=bool(settings.cors_origins),
        )

    def one(self, envelope: Envelope, head: Head, *, allow: bytes = b"POST") -> Answer:
        """The answer of a single operation, or of a request refused whole. `allow` lists the
        methods of a 405: POST for a mutation by GET (RFC 9110 §15.5.6)."""
        media = negotiate(head.headers.get(b"accept"))
        body = envelope.encode()
        scope = self._cache.scope(envelope, safe=head.safe)
        caching = self._cache.headers(scope, envelope.holds)
        status = status_of(envelope.code, media, self._upgrade_status)
        answer = Answer(status, [CONTENT_TYPE[media], *caching], body)
        answer.anybodys = scope == "public"
        notices = self._notices.headers((envelope.notice,)) if envelope.notice is not None else ()
        answer.headers += notices
        if envelope.errors:
            answer.field_codes = _field_codes((envelope,))
        if envelope.code is not None:
            answer.codes = (envelope.code,)
            if answer.status == 405:
                answer.headers.append((b"allow", allow))
            elif answer.status in _COME_BACK:
                answer.headers += _come_back(envelope)
        elif head.safe and scope != "no-store":
            tag = entity_tag(envelope.entity() if envelope.facts else body)
            if is_known(tag, head.headers.get(b"if-none-match")):
                known = [*caching, *notices, (b"etag", tag)]
                return Answer(304, known, field_codes=answer.field_codes, anybodys=answer.anybodys)
            answer.headers.append((b"etag", tag))
        return self._packed(answer, head)

    def many(self, envelopes: Sequence[Envelope], head: Head) -> Answer:
        """The answer of a batch: always 200, one entry per member, in order. It is plain JSON: the
        GraphQL media type promises a single response."""
        body = b"[" + b",".join(_encoded(envelope, head) for envelope in envelopes) + b"]"
        headers = [CONTENT_TYPE[JSON], *self._cache.headers("no-store")]
        headers += self._notices.headers(envelope.notice for envelope in envelopes)
        answer = Answer(200, headers, body)
        answer.codes = tuple(envelope.code for envelope in envelopes if envelope.code is not None)
        answer.field_codes = _field_codes(envelopes)
        return self._packed(answer, head)

    def _packed(self, answer: Answer, head: Head) -> Answer:
        if head.method == "HEAD":
            return answer
        answer.body, coding = compress(
            answer.body, head.headers.get(b"accept-encoding"), from_bytes=self._compress_from
        )
        if coding is not None:
            answer.content_encoding = coding
            answer.headers.append((b"content-encoding", coding.encode()))
        return answer


def _come_back(envelope: Envelope) -> list[Header]:
    extensions = envelope.errors[0].get("extensions", {}) if envelope.errors else {}
    milliseconds = extensions.get("retryAfterMs")
    return [] if milliseconds is None else [retry_after(milliseconds)]


def _field_codes(envelopes: Iterable[Envelope]) -> dict[str, int]:
    """How many errors of each code the answered operations hold; most hold none."""
    errors = (
        error
        for envelope in envelopes
        if envelope.errors and envelope.code is None
        for error in envelope.errors
    )
    return Counter(error.get("extensions", {}).get("code", InternalError.code) for error in errors)


def _encoded(envelope: Envelope, head: Head) -> bytes:
    """A member that cannot be encoded must not cost the others their answers."""
    try:
        return envelope.encode()
    except Exception as error:
        return failure(error, head.request_id).encode()
