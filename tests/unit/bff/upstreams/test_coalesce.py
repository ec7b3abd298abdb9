"""Which keys of several requests go in one upstream call, and who that call is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.config import TelemetryConfig
from bff.contract import Scope
from bff.loaders.accounts import AccountCardByIdLoader, AccountCardRecord, ProfileByViewerLoader
from bff.loaders.base import Loader
from bff.loaders.content import (
    RelatedByItemIdLoader,
    RelatedKey,
    ThreadByItemIdLoader,
    ThreadKey,
)
from bff.upstreams.coalesce import TURNS
from bff.upstreams.transport import Incoming, Outgoing
from tests.unit.bff.upstreams.crowd import Process, names
from tests.unit.bff.upstreams.fakes import answer, problem, sample


async def test_two_requests_are_one_call() -> None:
    """Keys asked for at the same time leave together, each once, and everyone gets their own."""
    process = Process()
    first, second = process.caller(0), process.caller(1)
    found = await asyncio.gather(
        process.load(first, "a", "nobody", "b"), process.load(second, "c", "b")
    )
    assert [names(one) for one in found] == [["A", None, "B"], ["C", "B"]]
    assert process.transport.ids == [["a", "nobody", "b", "c"]]
    assert (first.log.by_service, first.log.joins) == ({"accounts": 1}, 0)
    assert (second.log.by_service, second.log.joins) == ({}, 1)
    labels = {"service": "accounts", "method": "cards"}
    assert sample(process.services.metrics, "facet_upstream_joins_total", **labels) == 1
    labels["outcome"] = "ok"
    assert sample(process.services.metrics, "facet_upstream_calls_total", **labels) == 1


async def test_single_keys_are_gathered_too() -> None:
    """The generic way, key by key, makes the same shared call."""
    process = Process()
    loaders = [AccountCardByIdLoader(process.caller(number)) for number in range(3)]
    found = await asyncio.gather(*(loader.load(key) for loader in loaders for key in ("a", "b")))
    assert names(found) == ["A", "B"] * 3
    assert process.transport.ids == [["a", "b"]]


async def test_records_are_shared() -> None:
    """The same frozen record serves every request."""
    process = Process()
    (one,), (other,) = await asyncio.gather(
        process.load(process.caller(0), "a"), process.load(process.caller(1), "a")
    )
    assert isinstance(one, AccountCardRecord)
    assert one is other


async def test_switched_off_nothing_is_shared() -> None:
    """Without a coalescer every request makes its own call."""
    process = Process(coalesce=False)
    await asyncio.gather(*(process.load(process.caller(number), "a") for number in range(3)))
    assert process.transport.ids == [["a"]] * 3


async def test_viewers_data_is_never_shared() -> None:
    """What is a viewer's is asked for each viewer apart, at the same moment or not."""

    def profiles(call: Outgoing) -> Incoming:
        return problem(404, "NOT_FOUND")

    process = Process(profiles)
    loaders = [ProfileByViewerLoader(process.caller(number)) for number in range(2)]
    with capture_logs():
        await asyncio.gather(*(loader.load_all(["account-0"]) for loader in loaders))
    assert len({call.headers["x-viewer"] for call in process.transport.calls}) == 2


async def test_nobody_waits_for_a_call_under_way() -> None:
    """What is asked for after a call has left makes the next one, the same keys too: an answer is
    never older than the question."""
    process = Process()
    process.transport.gate.clear()
    first = [process.load(process.caller(number), "a") for number in (0, 1)]
    await process.sent(1)
    second = [process.load(process.caller(number), "a") for number in (2, 3)]
    await process.sent(2)
    assert process.transport.ids == [["a"], ["a"]]
    process.transport.gate.set()
    await asyncio.gather(*first, *second)


async def test_keys_gather_for_a_few_turns() -> None:
    """Requests whose keys come a turn of the loop apart still share a call."""
    process = Process()
    tasks = []
    for number in range(TURNS):
        tasks.append(process.load(process.caller(number), "a"))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert process.transport.ids == [["a"]]


async def test_full_calls_are_split() -> None:
    """No call carries more keys than the service takes; a request's keys stay together."""
    process = Process()
    loads = [[f"{number}-{n}" for n in range(90)] for number in range(5)]
    tasks = [process.load(process.caller(number), *ids) for number, ids in enumerate(loads)]
    found = await asyncio.gather(*tasks)
    assert [names(one) for one in found] == [[key.upper() for key in ids] for ids in loads]
    assert sorted(map(len, process.transport.ids)) == [90, 180, 180]


async def test_list_that_fills_a_call_goes_alone() -> None:
    """A request that fills calls by itself is not gathered with others."""
    process = Process()
    full = process.caller(0)
    many = process.load(full, *(f"k{n}" for n in range(200)))
    few = process.load(process.caller(1), "a")
    await asyncio.gather(many, few)
    assert sorted(map(len, process.transport.ids)) == [1, 200]
    assert full.log.by_service == {"accounts": 1}


async def test_pages_of_threads_stay_apart() -> None:
    """Keys one call cannot carry leave in calls of their own, shared where they are alike."""

    def threads(call: Outgoing) -> Incoming:
        body = json.loads(call.body or b"")
        page = {"total": body["first"], "comments": [], "next_cursor": None, "has_more": False}
        return answer({"threads": [{"item_id": t["item_id"], **page} for t in body["threads"]]})

    process = Process(threads)
    loaders = [ThreadByItemIdLoader(process.caller(number)) for number in range(2)]
    keys = [ThreadKey("a", 2), ThreadKey("b", 2), ThreadKey("a", 3), ThreadKey("a", 2, "cursor")]
    found = await asyncio.gather(*(loader.load_all(keys) for loader in loaders))
    totals = [[getattr(one, "total", one) for one in answers] for answers in found]
    assert totals == [[2, 2, 3, 2]] * 2
    assert len(process.transport.calls) == 3


# --- who calls


async def test_shared_call_is_nobodys() -> None:
    """No viewer and no request id of an app goes along, and the time is the longest of all."""
    process = Process()
    callers = [process.caller(0, 400), process.caller(1, 900)]
    await asyncio.gather(*(process.load(caller, "a") for caller in callers))
    (call,) = process.transport.calls
    assert "x-viewer" not in call.headers
    assert not call.headers["x-request-id"].startswith("request-")
    assert 400 < int(call.headers["x-deadline-ms"]) <= 900
    assert 0.4 < call.timeout <= 0.9


async def test_shared_call_asks_no_system_for_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shared call has an id of its own, which costs no system call."""

    def asked(_: int) -> bytes:
        raise AssertionError("random bytes of the system")

    process = Process()
    monkeypatch.setattr(os, "urandom", asked)
    for _ in range(2):
        callers = [process.caller(0), process.caller(1)]
        await asyncio.gather(*(process.load(caller, "a") for caller in callers))
    one, other = (call.headers["x-request-id"] for call in process.transport.calls)
    assert one != other
    assert (len(one), len(other)) == (32, 32)


async def test_lone_request_calls_for_itself() -> None:
    """A request nobody joined calls as ever: under its own id, counted as its own."""
    process = Process()
    caller = process.caller(0)
    await process.load(caller, "a")
    assert process.transport.calls[0].headers["x-request-id"] == "request-0"
    assert (caller.log.by_service, caller.log.joins) == ({"accounts": 1}, 0)


async def traced(folder: Path, sampled: Sequence[int]) -> tuple[list[dict[str, Any]], Process]:
    """The spans of three requests that shared a call; only `sampled` ones are recorded."""
    config = TelemetryConfig(traces_file=folder / "t.jsonl", sample_ratio=1)
    process = Process(telemetry=config)
    tracing = process.services.tracing

    async def request(number: int) -> None:
        flag = "01" if number in sampled else "00"
        trace_id = f"{number + 1:032x}"
        headers = {"traceparent": f"00-{trace_id}-{1:016x}-{flag}", "baggage": f"who={number}"}
        begun = tracing.begin("POST /graphql", headers)
        await AccountCardByIdLoader(process.caller(number)).load_all(["a"])
        tracing.finish(begun)

    await asyncio.gather(*(asyncio.create_task(request(number)) for number in range(3)))
    tracing.close()
    text = (folder / "t.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()], process


async def test_span_links_to_every_caller(tmp_path: Path) -> None:
    """The call stands in the trace of the first request and links to those of the others."""
    spans, process = await traced(tmp_path, (0, 1, 2))
    (call,) = (span for span in spans if span["name"] == "accounts.cards")
    roots = {
        span["context"]["trace_id"]: span["context"]["span_id"]
        for span in spans
        if span["name"] == "POST /graphql"
    }
    own = call["context"]["trace_id"]
    assert call["parent_id"] == roots.pop(own)
    linked = {link["context"]["trace_id"]: link["context"]["span_id"] for link in call["links"]}
    assert linked == roots
    (sent,) = process.transport.calls
    assert sent.headers["traceparent"].split("-")[2] == call["context"]["span_id"][2:]
    assert "request-" not in json.dumps(call)


async def test_recorded_request_gets_the_span(tmp_path: Path) -> None:
    """One recorded request among others sees the call in its trace; nobody's baggage is sent."""
    spans, process = await traced(tmp_path, (1,))
    (call,) = (span for span in spans if span["name"] == "accounts.cards")
    assert call["context"]["trace_id"] == f"0x{2:032x}"
    assert len(call["links"]) == 2
    assert "baggage" not in process.transport.calls[0].headers


async def test_unrecorded_requests_stay_so(tmp_path: Path) -> None:
    """When none of the requests is recorded their call is not either, here or in the service."""
    spans, process = await traced(tmp_path, ())
    assert spans == []
    _, trace_id, _, flags = process.transport.calls[0].headers["traceparent"].split("-")
    assert int(flags, 16) & 1 == 0, "services are told to record it"
    assert int(trace_id, 16) > 3, "it is in the trace of one of the requests"


SHARED_LOADERS = [
    kind
    for kind in Loader.__subclasses__()
    if kind.__module__.startswith("bff.loaders") and kind.scope is Scope.SHARED
]
KEYS: Mapping[type, Sequence[Any]] = {
    RelatedByItemIdLoader: [RelatedKey("a", 1), RelatedKey("b", 2)],
    ThreadByItemIdLoader: [ThreadKey("a", 1), ThreadKey("b", 1)],
}


@pytest.mark.parametrize("kind", SHARED_LOADERS, ids=lambda kind: kind.__name__)
async def test_shared_loaders_make_one_call(kind: type[Loader[Any, Any]]) -> None:
    """Keys of one group cost one call: bounds and counts of shared calls rest on it."""
    empty: dict[str, list[Any]] = {
        name: [] for name in ("cards", "items", "stats", "threads", "related")
    }
    process = Process(lambda _: answer(empty))
    keys = KEYS.get(kind, ["a", "b"])
    loader = kind(process.caller())
    assert len({loader.apart(key) for key in keys}) == 1
    await loader.fetch(keys)
    assert len(process.transport.calls) == 1
