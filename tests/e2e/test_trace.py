"""One request is one tree of spans: edge, document, execution, upstream calls, services."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.commands.trace import draw
from tests.harness.stack import PLATFORMS, Stack, registered


def _spans(folder: Path, trace_id: str) -> list[dict[str, Any]]:
    found = []
    for path in folder.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            try:
                span = json.loads(line)
            except ValueError:
                continue
            if span["context"]["trace_id"].removeprefix("0x") == trace_id:
                found.append(span)
    return found


async def _exported(
    folder: Path, trace_id: str, least: int, requests: int = 1
) -> list[dict[str, Any]]:
    """The spans of a trace once the exporters of all processes have written them: so many in all,
    and those of so many requests."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = _spans(folder, trace_id)
        edge = [span for span in found if span["name"] == "POST /graphql"]
        if len(found) >= least and len(edge) >= requests:
            return found
        await asyncio.sleep(0.2)
    return _spans(folder, trace_id)


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_is_one_tree(stack: Stack, token: str, platform: str) -> None:
    """The app's own trace goes on through the gateway into every service, no span astray."""
    home = registered(stack.settings(platform), platform, "Home")
    trace_id, parent = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        answer = await client.post(
            "/graphql",
            json={"documentId": home.id},
            headers={
                "authorization": f"Bearer {token}",
                "traceparent": f"00-{trace_id}-{parent}-01",
            },
        )
    calls = answer.json()["extensions"]["upstream"]["calls"]
    spans = await _exported(stack.where.data / "traces", trace_id, 3 + 2 * calls)
    by_id = {span["context"]["span_id"]: span for span in spans}
    names = [span["name"] for span in spans]
    edge = [span for span in spans if span["parent_id"] == f"0x{parent}"]
    assert [span["name"] for span in edge] == ["POST /graphql"]
    assert names.count("document") == names.count("execute") == 1
    upstream = [s for s in spans if s["kind"] == "SpanKind.CLIENT"]
    execute = next(s for s in spans if s["name"] == "execute")
    assert len(upstream) == calls
    assert {s["parent_id"] for s in upstream} == {execute["context"]["span_id"]}
    served = [
        s
        for s in spans
        if s["kind"] == "SpanKind.SERVER" and s["parent_id"] in by_id and s not in edge
    ]
    assert sorted(s["parent_id"] for s in served) == sorted(
        s["context"]["span_id"] for s in upstream
    )
    assert {s["resource"]["attributes"]["service.name"] for s in served} == {
        "accounts",
        "content",
        "notifications",
    }
    assert len(draw(spans).children) == 1


async def test_traces_name_nobody(stack: Stack, token: str) -> None:
    """No span of any process carries the token, the account id's handle or an e-mail address."""
    home = registered(stack.settings("ios"), "ios", "Home")
    profile = registered(stack.settings("ios"), "ios", "Profile")
    trace_id = uuid.uuid4().hex
    headers = {
        "authorization": f"Bearer {token}",
        "traceparent": f"00-{trace_id}-{uuid.uuid4().hex[:16]}-01",
    }
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        await client.post("/graphql", json={"documentId": home.id}, headers=headers)
        answer = await client.post("/graphql", json={"documentId": profile.id}, headers=headers)
    account = answer.json()["data"]["profile"]["account"]
    spans = await _exported(stack.where.data / "traces", trace_id, 10, requests=2)
    text = json.dumps(spans)
    assert "POST /graphql" in text
    for secret in (token, account["email"], account["displayName"]):
        assert secret not in text
