"""With Redis, a text kept by one gateway process is known to the next; without, nothing breaks."""

from __future__ import annotations

import hashlib
import os
from typing import Any
from unittest import mock

import httpx2
import pytest

from tests.harness.databases import redis_url as redis_url
from tests.harness.stack import Stack, start_policy_gateway

pytestmark = pytest.mark.modeless


def _apq(sha: str, text: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha}}}
    return body if text is None else {**body, "query": text}


def test_apq_is_known_to_the_next_process(stack: Stack, redis_url: str) -> None:
    """Kept in Redis, a text outlives the process that registered it."""
    text = "query Shared { inbox { __typename } }"
    sha = hashlib.sha256(text.encode()).hexdigest()
    with mock.patch.dict(os.environ, {"BFF__STORE__REDIS_URL": redis_url}):
        with start_policy_gateway(stack, "ios", "open") as first:
            registering = httpx2.post(f"{first.url}/graphql", json=_apq(sha, text), timeout=30)
        with start_policy_gateway(stack, "ios", "open") as second:
            known = httpx2.post(f"{second.url}/graphql", json=_apq(sha), timeout=30)
    assert registering.json()["data"] == {"inbox": {"__typename": "InboxScreen"}}
    assert known.json()["data"] == registering.json()["data"]


def test_apq_works_while_redis_is_away(stack: Stack) -> None:
    """Redis down: the process keeps its own texts, counts the failure, and answers as ever."""
    text = "query Alone { inbox { __typename } }"
    sha = hashlib.sha256(text.encode()).hexdigest()
    nowhere = "redis://127.0.0.1:1/0"
    with (
        mock.patch.dict(os.environ, {"BFF__STORE__REDIS_URL": nowhere}),
        start_policy_gateway(stack, "ios", "open") as child,
    ):
        httpx2.post(f"{child.url}/graphql", json=_apq(sha, text), timeout=30)
        known = httpx2.post(f"{child.url}/graphql", json=_apq(sha), timeout=30)
        metrics = httpx2.get(f"{child.url}/metrics", timeout=30).text
    assert known.json()["data"] == {"inbox": {"__typename": "InboxScreen"}}
    assert 'facet_events_total{event="store_failed"}' in metrics
