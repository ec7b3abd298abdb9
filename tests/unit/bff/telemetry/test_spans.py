"""Traces: one tree, codes instead of words, and nothing at all when switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.config import TelemetryConfig
from bff.edge.head import Head
from bff.edge.interfaces import AnswerReport
from bff.edge.observe import Observer
from bff.errors import BadUserInput, ConfigError
from bff.request import ClientIdentity
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def recorded(path: Path) -> dict[str, dict[str, Any]]:
    """The spans of a file by name; every line is one span."""
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    return {span["name"]: span for span in spans}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces" / "bff-ios.jsonl"


@pytest.fixture
def tracing(path: Path) -> Tracing:
    return Tracing(TelemetryConfig(traces_file=path, sample_ratio=1), "bff-ios")


def test_spans_are_one_tree(tracing: Tracing, path: Path) -> None:
    """The request hangs under the app's span, its steps under it, calls under their step."""
    begun = tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    with tracing.step("document"):
        pass
    headers: dict[str, str] = {}
    with tracing.step("execute"), tracing.call("content.items", headers):
        pass
    tracing.finish(begun)
    tracing.close()
    spans = recorded(path)
    ids = {name: span["context"]["span_id"] for name, span in spans.items()}
    assert {name: span["parent_id"] for name, span in spans.items()} == {
        "POST /graphql": f"0x{PARENT}",
        "document": ids["POST /graphql"],
        "execute": ids["POST /graphql"],
        "content.items": ids["execute"],
    }
    assert {span["context"]["trace_id"] for span in spans.values()} == {f"0x{TRACE}"}
    assert headers == {"traceparent": f"00-{TRACE}-{ids['content.items'][2:]}-01"}
    assert spans["content.items"]["resource"]["attributes"]["service.name"] == "bff-ios"


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadUserInput("hunter2"), "BAD_USER_INPUT"), (KeyError("hunter2"), "INTERNAL")],
)
def test_errors_leave_their_code_alone(
    tracing: Tracing, path: Path, error: Exception, code: str
) -> None:
    """A span that ends in an error carries its code: neither its words nor its stack, which may
    hold what an app sent."""
    begun = tracing.begin("POST /graphql", {})
    with pytest.raises(type(error)), tracing.step("execute"), tracing.call("content.items", {}):
        raise error
    tracing.finish(begun)
    tracing.close()
    spans = recorded(path)
    for name in ("execute", "content.items"):
        assert spans[name]["status"] == {"status_code": "ERROR", "description": code}
        assert spans[name]["attributes"]["facet.error.code"] == code
        assert spans[name]["events"] == []
    assert "hunter2" not in path.read_text()


def test_nothing_is_left_attached(tracing: Tracing, path: Path) -> None:
    """The next request does not hang under the last one."""
    for name in ("first", "second"):
        tracing.finish(tracing.begin(name, {}))
    tracing.close()
    spans = recorded(path)
    assert spans["second"]["parent_id"] is None
    first, second = (spans[name]["context"]["trace_id"] for name in ("first", "second"))
    assert first != second


def test_switched_off_passes_the_trace_on() -> None:
    """Without an exporter nothing is recorded, and the app's trace still reaches the services."""
    tracing = Tracing(TelemetryConfig(), "bff-ios")
    headers: dict[str, str] = {}
    begun = tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    with tracing.step("execute") as span, tracing.call("content.items", headers):
        assert not span.is_recording()
    tracing.finish(begun)
    assert headers == {"traceparent": TRACEPARENT}
    untraced: dict[str, str] = {}
    begun = tracing.begin("POST /graphql", {})
    with tracing.call("content.items", untraced):
        pass
    tracing.finish(begun)
    tracing.close()
    assert untraced == {}


@pytest.mark.parametrize("sent", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-xyz-1-01"])
def test_broken_traceparent_starts_a_new_trace(tracing: Tracing, path: Path, sent: str) -> None:
    """What is no traceparent (W3C Trace Context section 3.2) is as if it had not been sent."""
    tracing.finish(tracing.begin("POST /graphql", {"traceparent": sent}))
    tracing.close()
    assert recorded(path)["POST /graphql"]["parent_id"] is None


def test_caller_decides_on_sampling(path: Path) -> None:
    """With a ratio of zero only a request whose caller sampled it is recorded."""
    tracing = Tracing(TelemetryConfig(traces_file=path, sample_ratio=0), "bff-ios")
    tracing.finish(tracing.begin("ours", {}))
    tracing.finish(tracing.begin("theirs", {"traceparent": TRACEPARENT}))
    tracing.close()
    assert list(recorded(path)) == ["theirs"]


def test_unwritable_file_is_a_wrong_setting(tmp_path: Path) -> None:
    """A traces file that cannot be opened stops the start with its setting's name."""
    with pytest.raises(ConfigError, match=r"telemetry\.traces_file"):
        Tracing(TelemetryConfig(traces_file=tmp_path), "bff-ios")


# --- what the edge tells


def head(**headers: str) -> Head:
    given = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return Head("graphql", "POST", given, b"", {}, "request-1", 0.0)


def report(**changes: Any) -> AnswerReport:
    values: dict[str, Any] = {
        "route": "graphql",
        "method": "POST",
        "request_id": "request-1",
        "status": 200,
        "codes": (),
        "operations": 1,
        "upstream_calls": 4,
        "bytes_out": 1234,
        "content_encoding": "br",
        "duration_s": 0.0125,
        "client": ClientIdentity("ios-app", "7.3.0", "4120", device_id="device-hunter2"),
    }
    return AnswerReport(**{**values, **changes})


def test_request_is_told_in_one_line(tracing: Tracing, path: Path) -> None:
    """After the answer one line says what it was, under request and trace id, and the span says
    the same; neither names device or viewer."""
    observer = Observer(tracing, Metrics("ios"), "ios")
    with capture_logs() as logs:
        begun = observer.on_request(head(traceparent=TRACEPARENT, authorization="Bearer hunter2"))
        observer.on_answer(begun, report(field_codes={"NOT_FOUND": 2}))
    tracing.close()
    (line,) = logs
    assert line == {
        "event": "answered",
        "log_level": "info",
        "request_id": "request-1",
        "trace_id": TRACE,
        "route": "graphql",
        "method": "POST",
        "status": 200,
        "codes": (),
        "field_codes": {"NOT_FOUND": 2},
        "operations": 1,
        "upstream_calls": 4,
        "bytes": 1234,
        "ms": 12.5,
        "release": "7.3.0+4120",
    }
    span = recorded(path)["POST /graphql"]
    assert span["status"]["status_code"] == "UNSET"
    assert span["attributes"] == {
        "facet.request_id": "request-1",
        "facet.platform": "ios",
        "http.response.status_code": 200,
        "http.response.body.size": 1234,
        "facet.release": "7.3.0+4120",
    }
    assert "hunter2" not in path.read_text()


def test_refusal_marks_the_span(tracing: Tracing, path: Path) -> None:
    """A refused request's span carries the code; a client that left has no status."""
    observer = Observer(tracing, Metrics("ios"), "ios")
    with capture_logs():
        begun = observer.on_request(head())
        observer.on_answer(begun, report(status=None, codes=("UNAUTHENTICATED",), client=None))
    tracing.close()
    span = recorded(path)["POST /graphql"]
    assert span["status"] == {"status_code": "ERROR", "description": "UNAUTHENTICATED"}
    assert span["attributes"]["facet.release"] == "unknown"
    assert span["attributes"]["http.response.status_code"] == 0


def test_untraced_request_is_logged() -> None:
    """With tracing off the line is written all the same, with the app's own trace id if any."""
    tracing = Tracing(TelemetryConfig(), "bff-ios")
    observer = Observer(tracing, Metrics("ios"), "ios")
    with capture_logs() as logs:
        observer.on_answer(observer.on_request(head(traceparent=TRACEPARENT)), report())
        observer.on_answer(observer.on_request(head()), report())
        observer.on_answer(None, report())
    tracing.close()
    assert [line["trace_id"] for line in logs] == [TRACE, None]


@pytest.mark.parametrize("operations", [0, 1])
def test_every_refusal_is_counted(operations: int) -> None:
    """A refusal counts once by its code, whether the edge or the pipeline made it."""
    metrics = Metrics("ios")
    observer = Observer(Tracing(TelemetryConfig(), "bff-ios"), metrics, "ios")
    begun = observer.on_request(head())
    observer.on_answer(begun, report(codes=("BAD_REQUEST",), operations=operations))
    sample = metrics.registry.get_sample_value(
        "facet_refusals_total", {"platform": "ios", "code": "BAD_REQUEST"}
    )
    assert sample == 1


def test_untrusted_callers_decide_nothing(path: Path) -> None:
    """A caller's sampled flag is not obeyed outside the trusted: nothing is recorded at ratio 0,
    and what is recorded is a trace of our own that links to theirs."""
    for ratio in (0.0, 1.0):
        config = TelemetryConfig(traces_file=path, sample_ratio=ratio)
        tracing = Tracing(config, "bff-ios", trust_callers=False)
        observer = Observer(tracing, Metrics("ios"), "ios")
        observer.on_answer(observer.on_request(head(traceparent=TRACEPARENT)), report())
        tracing.close()
        if ratio == 0.0:
            assert path.read_text() == ""
    span = recorded(path)["POST /graphql"]
    assert span["context"]["trace_id"] != f"0x{TRACE}"
    assert [link["context"]["trace_id"] for link in span["links"]] == [f"0x{TRACE}"]


def test_attributes_are_bounded(path: Path) -> None:
    """A name of a client's choosing takes no more of a span than any other attribute."""
    tracing = Tracing(TelemetryConfig(traces_file=path, sample_ratio=1.0), "bff-ios")
    with tracing.step("document") as span:
        span.set_attribute("graphql.operation.name", "x" * 60_000)
    tracing.close()
    assert len(recorded(path)["document"]["attributes"]["graphql.operation.name"]) == 256
