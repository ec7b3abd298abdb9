"""Traces: one tree a request, a span for the request, document, execution and each upstream call.

Never a span per field (DESIGN D12). Attributes come from `Attribute`; values carry no personal
data: no variables, no names of accounts, no tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from bff.config import TelemetryConfig
from bff.errors import ConfigError, FacetError


class Attribute:
    """The catalogue of span attributes."""

    REQUEST_ID = "facet.request_id"
    PLATFORM = "facet.platform"
    RELEASE = "facet.release"
    DOCUMENT_ID = "facet.document.id"
    DOCUMENT_REGISTERED = "facet.document.registered"
    OPERATION = "graphql.operation.name"
    OPERATION_TYPE = "graphql.operation.type"
    SCREEN = "facet.screen"
    ERROR_CODE = "facet.error.code"
    FIELD_ERRORS = "facet.field_errors"
    SERVICE = "facet.upstream.service"
    METHOD = "facet.upstream.method"
    KEYS = "facet.upstream.keys"
    SCOPE = "facet.upstream.scope"
    STATUS = "http.response.status_code"
    BYTES = "http.response.body.size"


# A name of a client's choosing may be as long as its document.
MOST_ATTRIBUTE = 256


class Begun(NamedTuple):
    """An open root span and how to leave it."""

    span: Span
    token: Token[otel_context.Context] | None


class Tracing:
    """This process's tracer. Without an exporter nothing is recorded, at next to no cost; what
    the caller sent as `traceparent` is passed on all the same."""

    def __init__(
        self, config: TelemetryConfig, service_name: str, *, trust_callers: bool = True
    ) -> None:
        self._trust_callers = trust_callers
        sampler = ParentBased(TraceIdRatioBased(config.sample_ratio))
        resource = Resource.create({"service.name": service_name})
        self._provider = TracerProvider(
            sampler=sampler,
            resource=resource,
            span_limits=SpanLimits(max_attribute_length=MOST_ATTRIBUTE),
        )
        if config.traces_file is not None:
            self._provider.add_span_processor(
                BatchSpanProcessor(FileSpanExporter(config.traces_file))
            )
        if config.otlp_endpoint is not None:
            self._provider.add_span_processor(BatchSpanProcessor(_otlp_exporter(config)))
        self.enabled = config.traces_file is not None or config.otlp_endpoint is not None
        self._tracer = self._provider.get_tracer("facet")

    def begin(self, name: str, headers: Mapping[str, str]) -> Begun:
        """Open the root of our part of the tree; continues the caller's `traceparent`. To be
        handed to `finish` in the same task."""
        if not self._trust_callers:
            return self._begin_apart(name, extract(headers))
        if not self.enabled:
            context = extract(headers) if "traceparent" in headers else None
            token = otel_context.attach(context) if context is not None else None
            return Begun(trace.get_current_span(context), token)
        span = self._tracer.start_span(name, context=extract(headers), kind=SpanKind.SERVER)
        return Begun(span, otel_context.attach(trace.set_span_in_context(span)))

    def _begin_apart(self, name: str, theirs: otel_context.Context) -> Begun:
        """A trace of our own that links to the caller's: anybody may send a sampled flag, and
        must not decide what we record."""
        if not self.enabled:
            return Begun(trace.INVALID_SPAN, None)
        sent = trace.get_current_span(theirs).get_span_context()
        span = self._tracer.start_span(
            name,
            context=otel_context.Context(),
            kind=SpanKind.SERVER,
            links=[trace.Link(sent)] if sent.is_valid else None,
        )
        return Begun(span, otel_context.attach(trace.set_span_in_context(span)))

    def finish(self, begun: Begun) -> None:
        """Close what `begin` opened."""
        if begun.token is not None:
            begun.span.end()
            otel_context.detach(begun.token)

    @contextmanager
    def step(self, name: str) -> Iterator[Span]:
        """One room's work inside the request."""
        if not self.enabled:
            yield trace.INVALID_SPAN
            return
        with self._tracer.start_as_current_span(name, **_SILENT) as span, _marked(span):
            yield span

    @contextmanager
    def call(self, name: str, headers: dict[str, str]) -> Iterator[Span]:
        """One upstream call; adds `traceparent` to the headers that go out."""
        if not self.enabled:
            inject(headers)
            yield trace.INVALID_SPAN
            return
        client = SpanKind.CLIENT
        with self._tracer.start_as_current_span(name, kind=client, **_SILENT) as span:
            inject(headers)
            with _marked(span):
                yield span

    def close(self) -> None:
        """Send what is still held, then stop."""
        self._provider.shutdown()


# By default the SDK writes an exception's message and stack into the span: a service's words about
# an app's input would end up there.
_SILENT: Mapping[str, Any] = {"record_exception": False, "set_status_on_exception": False}


@contextmanager
def _marked(span: Span) -> Iterator[None]:
    """What ends in an error is marked with the error's code, and with nothing else."""
    try:
        yield
    except Exception as error:
        failed(span, error.code if isinstance(error, FacetError) else FacetError.code)
        raise


def failed(span: Span, code: str) -> None:
    """Marks a span with a stable error code; messages stay out of traces."""
    span.set_attribute(Attribute.ERROR_CODE, code)
    span.set_status(Status(StatusCode.ERROR, code))


class FileSpanExporter(ConsoleSpanExporter):
    """Spans as JSON, one a line, appended to a file. Raises ConfigError for one it cannot open."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"telemetry.traces_file {path} cannot be written ({error.strerror}); "
                "name a file in a folder that can be, or unset it"
            ) from error
        super().__init__(out=self._file, formatter=_one_line)

    def shutdown(self) -> None:
        self._file.close()


def _otlp_exporter(config: TelemetryConfig) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=config.otlp_endpoint)


def _one_line(span: ReadableSpan) -> str:
    return json.dumps(json.loads(span.to_json()), separators=(",", ":")) + "\n"
