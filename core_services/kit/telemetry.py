"""Logs, metrics and traces of one service process.

They carry ids, routes and times, never bodies or personal data.

Failure policy: an exporter that cannot write loses spans, never a request.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import IO, Any, cast

import orjson
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from core_services.kit.settings import ServiceSettings

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_PROPAGATOR = TraceContextTextMapPropagator()
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def configure_logs(service: str, level: str) -> None:
    """Send structlog and the standard library's records to stdout as one JSON object a line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dump_bytes)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(serializer=_dump_text),
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    structlog.contextvars.bind_contextvars(service=service)


def _dump_bytes(record: Any, **_: Any) -> bytes:
    return orjson.dumps(record, default=str)


def _dump_text(record: Any, **_: Any) -> str:
    return orjson.dumps(record, default=str).decode()


class Metrics:
    """Counts and times of one service, by method, route template and status."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        labels = ("service", "method", "route")
        self._service = service
        self._requests = Counter(
            "core_service_requests_total",
            "Answered requests.",
            (*labels, "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "core_service_request_seconds",
            "Time from the first byte of a request to the end of its answer.",
            labels,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        in_flight = Gauge(
            "core_service_requests_in_flight",
            "Requests being answered.",
            ("service",),
            registry=self.registry,
        )
        self.in_flight = in_flight.labels(service)
        self.shed = Counter(
            "core_service_shed_total",
            "Requests refused because too many were being answered.",
            ("service",),
            registry=self.registry,
        ).labels(service)
        self._refused = Counter(
            "core_service_credentials_refused_total",
            "Refused credentials (caller) and assertions (viewer), by cause: clock, or forged.",
            ("service", "kind", "cause"),
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the template or `unmatched`, so labels stay few."""
        children = self._children.get((method, route, status))
        if children is None:
            children = (
                self._requests.labels(self._service, method, route, str(status)),
                self._seconds.labels(self._service, method, route),
            )
            self._children[method, route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def refused(self, kind: str, cause: str) -> None:
        """Count one refused credential. A rising `clock` says that clocks run apart."""
        self._refused.labels(self._service, kind, cause).inc()

    def exposition(self) -> bytes:
        """Return the metrics in the Prometheus text format 0.0.4."""
        return generate_latest(self.registry)


class Traces:
    """One server span a request, continuing `traceparent` (W3C Trace Context).

    None without an exporter.
    """

    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self._file: IO[str] | None = None
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        if settings.traces_file is None and settings.otlp_endpoint is None:
            return
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service}), shutdown_on_exit=False
        )
        if settings.traces_file is not None:
            settings.traces_file.parent.mkdir(parents=True, exist_ok=True)
            self._file = settings.traces_file.open("a", encoding="utf-8", buffering=1)
            console = ConsoleSpanExporter(out=self._file, formatter=_one_line)
            self._provider.add_span_processor(BatchSpanProcessor(console))
        if settings.otlp_endpoint is not None:
            exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, timeout=2)
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("core_services")

    def begin(self, method: str, headers: Mapping[str, str]) -> Span | None:
        """Start the span of a request, or return None when nothing is exported."""
        if self._tracer is None:
            return None
        return self._tracer.start_span(
            method, context=_PROPAGATOR.extract(headers), kind=SpanKind.SERVER
        )

    def end(self, span: Span | None, name: str, attributes: Mapping[str, str | int]) -> None:
        """Name and finish the span; `attributes` hold http.response.status_code."""
        if span is None:
            return
        span.update_name(name)
        span.set_attributes(attributes)
        if cast(int, attributes["http.response.status_code"]) >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def flush(self) -> None:
        """Write what is still queued and close the file."""
        if self._provider is not None:
            self._provider.shutdown()
        if self._file is not None:
            self._file.close()


def trace_id_of(span: Span | None, traceparent: str | None) -> str | None:
    """Return the trace id for the log: the span's, else the one the caller sent."""
    if span is not None:
        return f"{span.get_span_context().trace_id:032x}"
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match.group(1) if match else None


def _one_line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
