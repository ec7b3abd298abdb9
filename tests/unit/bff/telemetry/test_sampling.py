"""What is not sampled costs next to nothing, and stays the same trace everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from structlog.testing import capture_logs

from bff.config import TelemetryConfig
from bff.edge.head import Head
from bff.edge.interfaces import AnswerReport
from bff.edge.observe import Observer
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Tracing

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bff-ios.jsonl"


def made(path: Path, ratio: float, *, trust_callers: bool = False) -> Tracing:
    config = TelemetryConfig(traces_file=path, sample_ratio=ratio)
    return Tracing(config, "bff-ios", trust_callers=trust_callers)


def report() -> AnswerReport:
    return AnswerReport("graphql", "POST", "r-1", 200, (), 1, 4, 9, None, 0.01, None)


def test_unsampled_never_asks_the_sdk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request nobody samples makes no span of the SDK, in none of its steps and calls."""
    tracing = made(path, 0.0)

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the SDK was asked for a span")

    monkeypatch.setattr(tracing._tracer, "start_span", forbidden)
    monkeypatch.setattr(tracing._tracer, "start_as_current_span", forbidden)
    begun = tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    with tracing.step("document") as span, tracing.step("execute"):
        assert not span.is_recording()
        with tracing.call("content.items", {}):
            pass
    tracing.finish(begun)
    tracing.close()
    assert path.read_text() == ""


def test_unsampled_is_one_trace(path: Path) -> None:
    """The log line and every call carry the same trace id, with a flag that tells services not
    to record; the next request has another one and nothing stays attached."""
    tracing = made(path, 0.0)
    observer = Observer(tracing, Metrics("ios"), "ios")
    seen: list[str] = []
    for _ in range(2):
        headers: list[dict[str, str]] = [{}, {}]
        with capture_logs() as logs:
            begun = observer.on_request(Head("graphql", "POST", {}, b"", {}, "r-1", 0.0))
            for one in headers:
                with tracing.step("execute"), tracing.call("content.items", one):
                    pass
            observer.on_answer(begun, report())
        version, trace_id, _, flags = headers[0]["traceparent"].split("-")
        assert headers[1] == headers[0]
        assert (version, trace_id, int(flags, 16) & 1) == ("00", logs[0]["trace_id"], 0)
        seen.append(trace_id)
    assert seen[0] != seen[1]
    assert trace.get_current_span() is trace.INVALID_SPAN
    tracing.close()


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_ratio_is_of_trace_ids(path: Path, ratio: float) -> None:
    """Who is sampled is decided by trace id, as the standard sampler decides it: the decision
    made before the SDK is asked, and the SDK's own, are one."""
    tracing, sampler = made(path, ratio), TraceIdRatioBased(ratio)
    sampled = 0
    for _ in range(200):
        begun = tracing.begin("POST /graphql", {})
        found = begun.span.get_span_context()
        decision = sampler.should_sample(None, found.trace_id, "x").decision
        assert begun.span.is_recording() == (decision is Decision.RECORD_AND_SAMPLE)
        assert found.is_valid
        sampled += begun.span.is_recording()
        tracing.finish(begun)
    tracing.close()
    assert len(path.read_text().splitlines()) == sampled
    assert abs(sampled / 200 - ratio) < 0.2


def test_sampled_request_keeps_its_steps(path: Path) -> None:
    """Of a sampled request root, step and call are recorded in one trace."""
    tracing = made(path, 1.0)
    begun = tracing.begin("POST /graphql", {})
    with tracing.step("execute"), tracing.call("content.items", {}):
        pass
    tracing.finish(begun)
    tracing.close()
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    assert {span["name"] for span in spans} == {"POST /graphql", "execute", "content.items"}
    assert len({span["context"]["trace_id"] for span in spans}) == 1


def test_trusted_refusal_is_obeyed(path: Path) -> None:
    """A trusted caller that did not sample is obeyed whatever our ratio, and its trace goes on."""
    tracing = made(path, 1.0, trust_callers=True)
    begun = tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    headers: dict[str, str] = {}
    with tracing.step("execute"), tracing.call("content.items", headers):
        pass
    tracing.finish(begun)
    tracing.close()
    assert path.read_text() == ""
    assert headers["traceparent"].split("-")[1] == TRACEPARENT.split("-")[1]
