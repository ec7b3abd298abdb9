"""Traces: one tree a request, a span for the request, document, execution and each upstream call.

Never a span per field (DESIGN D12). Attributes come from `Attribute`; values carry no personal
data: no variables, no names of accounts, no tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from pathlib import Path
from random import getrandbits
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

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
    PLAN = "facet.plan"
    FIELD_ERRORS = "facet.field_errors"
    SERVICE = "facet.upstream.service"
    METHOD = "facet.upstream.method"
    KEYS = "facet.upstream.keys"
    SCOPE = "facet.upstream.scope"
    STATUS = "http.response.status_code"
    BYTES = "http.response.body.size"
    RESENDS = "http.request.resend_count"


# A stop waits for two batches at most, and must not take half a minute where the collector hangs.
OTLP_WITHIN_S = 3
# A name of a client's choosing may be as long as its document.
MOST_ATTRIBUTE = 256

# What a step of a request gets that is not recorded; one object does for all of them.
_UNRECORDED = nullcontext(trace.INVALID_SPAN)
# The root of a request that is not recorded, None in one that is. It is no current span of the SDK:
# to make it one, and to ask for it, takes five times as long as a variable of our own.
_unsampled: ContextVar[Span | None] = ContextVar("facet_unsampled", default=None)


class Begun(NamedTuple):
    """An open root span and how to leave it."""

    span: Span
    token: Token[otel_context.Context] | None


class Lineage(NamedTuple):
    """Where a call that several requests share stands in their traces: under the first of them
    that is recorded, linked to all the others. Nothing else of theirs (baggage) goes along."""

    parent: otel_context.Context
    links: tuple[trace.Link, ...]

    @classmethod
    def of(cls, spans: Sequence[Span]) -> Lineage:
        """The lineage of a call made for the requests these spans are of."""
        first = next((s for s in spans if s.get_span_context().trace_flags.sampled), None)
        parent = otel_context.Context()
        if first is not None:
            parent = trace.set_span_in_context(first, parent)
        others = (span.get_span_context() for span in spans if span is not first)
        return cls(parent, tuple(trace.Link(other) for other in others if other.is_valid))


class Tracing:
    """This process's tracer. Without an exporter nothing is recorded, at next to no cost; what
    the caller sent as `traceparent` is passed on all the same."""

    def __init__(
        self, config: TelemetryConfig, service_name: str, *, trust_callers: bool = True
    ) -> None:
        self._trust_callers = trust_callers
        self._ids = _Ids(config.sample_ratio)
        resource = Resource.create({"service.name": service_name})
        self._provider = TracerProvider(
            sampler=ParentBased(self._ids.sampler),
            id_generator=self._ids,
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
        if not self.enabled:
            return self._pass_on(headers) if self._trust_callers else _NOTHING
        # Nearly every request: nobody but us decides, and we say no. The SDK takes 10 µs to say it.
        if not (self._trust_callers and "traceparent" in headers) and not self._ids.draw():
            return _begun(NonRecordingSpan(self._ids.unsampled()))
        theirs = extract(headers)
        if self._trust_callers:
            return _begun(self._tracer.start_span(name, context=theirs, kind=SpanKind.SERVER))
        return _begun(self._apart(name, theirs))

    def _pass_on(self, headers: Mapping[str, str]) -> Begun:
        context = extract(headers) if "traceparent" in headers else None
        token = otel_context.attach(context) if context is not None else None
        return Begun(trace.get_current_span(context), token)

    def _apart(self, name: str, theirs: otel_context.Context) -> Span:
        """A trace of our own that links to the caller's: anybody may send a sampled flag, and
        must not decide what we record."""
        sent = trace.get_current_span(theirs).get_span_context()
        return self._tracer.start_span(
            name,
            context=otel_context.Context(),
            kind=SpanKind.SERVER,
            links=[trace.Link(sent)] if sent.is_valid else None,
        )

    def finish(self, begun: Begun) -> None:
        """Close what `begin` opened."""
        if begun.token is not None:
            begun.span.end()
            otel_context.detach(begun.token)
        else:
            _unsampled.set(None)

    def step(self, name: str) -> AbstractContextManager[Span]:
        """One room's work inside the request."""
        return self._step(name) if self.enabled and _unsampled.get() is None else _UNRECORDED

    @contextmanager
    def _step(self, name: str) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name, **_SILENT) as span, _marked(span):
            yield span

    def call(
        self, name: str, headers: dict[str, str], lineage: Lineage | None = None
    ) -> AbstractContextManager[Span]:
        """One upstream call; adds `traceparent` to the headers that go out. It stands under the
        span of this moment, one that several requests share as its `lineage` says."""
        within = self.here() if lineage is None else trace.get_current_span(lineage.parent)
        if within is trace.INVALID_SPAN:
            recorded = self.enabled and lineage is None
            if lineage is not None and lineage.links:
                # Shared by requests none of which is recorded: nor is their call, there or here.
                headers["traceparent"] = _traceparent(self._ids.unsampled())
        else:
            recorded = self.enabled and within.is_recording()
            if not recorded:
                headers["traceparent"] = _traceparent(within.get_span_context())
        return self._call(name, headers, lineage) if recorded else _UNRECORDED

    @contextmanager
    def _call(self, name: str, headers: dict[str, str], lineage: Lineage | None) -> Iterator[Span]:
        parent, links = lineage or (None, ())
        with self._tracer.start_as_current_span(
            name, context=parent, kind=SpanKind.CLIENT, links=links, **_SILENT
        ) as span:
            inject(headers)
            with _marked(span):
                yield span

    def here(self) -> Span:
        """The span a call made now would stand under."""
        return _unsampled.get() or trace.get_current_span()

    def close(self) -> None:
        """Send what is still held, then stop."""
        self._provider.shutdown()


class _Ids(RandomIdGenerator):
    """Ids of spans, and who is sampled of those nobody else decided on: by ratio of trace id, so
    that the decision can be made before the SDK is asked for a span."""

    def __init__(self, ratio: float) -> None:
        self.sampler = TraceIdRatioBased(ratio)
        self._bound = self.sampler.bound
        self._drawn = 0

    def draw(self) -> bool:
        """Whether the next new trace is sampled; `unsampled`, or the SDK, takes it."""
        self._drawn = getrandbits(128)
        return self._drawn & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound

    def unsampled(self) -> SpanContext:
        """The trace just drawn, with flags that tell services not to record it either."""
        return SpanContext(self.generate_trace_id(), getrandbits(64) or 1, False, _FLAGS)

    def generate_trace_id(self) -> int:
        drawn, self._drawn = self._drawn, 0
        return drawn or super().generate_trace_id()


_FLAGS = TraceFlags(TraceFlags.RANDOM_TRACE_ID)
_NOTHING = Begun(trace.INVALID_SPAN, None)


def _traceparent(context: SpanContext) -> str:
    """As the propagator writes it, which takes 5 µs; no caller's tracestate or baggage is taken."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _begun(span: Span) -> Begun:
    if not span.is_recording():
        _unsampled.set(span)
        return Begun(span, None)
    _unsampled.set(None)  # of the request before, on a connection that pipelines them
    return Begun(span, otel_context.attach(trace.set_span_in_context(span)))


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


class FileSpanExporter(SpanExporter):
    """Spans as JSON, one a line, appended to a file that several processes may write: a batch is
    one write. Raises ConfigError for a file it cannot open."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"telemetry.traces_file {path} cannot be written ({error.strerror}); "
                "name a file in a folder that can be, or unset it"
            ) from error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._file.write("".join(map(_one_line, spans)).encode())
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def _otlp_exporter(config: TelemetryConfig) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=config.otlp_endpoint, timeout=OTLP_WITHIN_S)


def _one_line(span: ReadableSpan) -> str:
    return json.dumps(json.loads(span.to_json()), separators=(",", ":")) + "\n"
