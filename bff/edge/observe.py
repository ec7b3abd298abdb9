"""What the edge tells operators of every GraphQL request: span, refusals, and one log line."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.trace import SpanContext

from bff.edge.head import Head
from bff.edge.interfaces import AnswerReport
from bff.telemetry.logs import InfoLogger
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Attribute, Begun, Tracing, failed
from bff.usage.counts import Counting, uncounted

log = InfoLogger()

_UNTRACED: Mapping[str, str] = {}


class Observer:
    """The EdgeTelemetry of one process."""

    def __init__(
        self, tracing: Tracing, metrics: Metrics, platform: str, count: Counting = uncounted
    ) -> None:
        self._tracing = tracing
        self._metrics = metrics
        self._platform = platform
        self._count = count

    def on_request(self, head: Head) -> Begun:
        sent = head.headers.get(b"traceparent")
        carrier = {"traceparent": sent.decode("latin-1")} if sent is not None else _UNTRACED
        begun = self._tracing.begin(f"{head.method} /{head.route}", carrier)
        if begun.span.is_recording():
            begun.span.set_attribute(Attribute.REQUEST_ID, head.request_id)
            begun.span.set_attribute(Attribute.PLATFORM, self._platform)
        return begun

    def on_answer(self, begun: object, report: AnswerReport) -> None:
        for code in report.codes:
            self._metrics.refused(code)
        client = report.client
        if client is not None:
            self._count(client.release, client.device_id, report.used, report.bytes_out)
        if not isinstance(begun, Begun):
            return
        span = begun.span
        release = client.release if client else None
        if span.is_recording():
            span.set_attribute(Attribute.STATUS, report.status or 0)
            span.set_attribute(Attribute.BYTES, report.bytes_out)
            span.set_attribute(Attribute.RELEASE, release or "unknown")
            if report.codes:
                failed(span, report.codes[0])
        self._tracing.finish(begun)
        if report.quiet:  # counted; a line each would cost more than the refusal
            return
        log.info(
            "answered",
            request_id=report.request_id,
            trace_id=_hex(span.get_span_context()),
            route=report.route,
            method=report.method,
            status=report.status,
            codes=report.codes,
            field_codes=report.field_codes,
            operations=report.operations,
            upstream_calls=report.upstream_calls,
            bytes=report.bytes_out,
            ms=round(report.duration_s * 1000, 2),
            release=release,
        )


def _hex(context: SpanContext) -> str | None:
    return format(context.trace_id, "032x") if context.is_valid else None
