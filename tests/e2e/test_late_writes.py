"""A write that was sent runs to its end: past its request's deadline, and past the gateway's."""

from __future__ import annotations

import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from bff.commands.processes import Child, Children
from tests.harness.databases import free_port
from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.stack import Stack, registered

pytestmark = pytest.mark.modeless
WRITER, ITEM = "acc_01007", "itm_00190"
DEADLINE_MS = 300
LATE_MS = 1_200


@contextmanager
def gateway(stack: Stack, content: str, kind: str) -> Iterator[Child]:
    """A gateway process whose content service is reached through a proxy."""
    port = free_port()
    environment = {
        **stack.where.bff_environment("ios"),
        "BFF__UPSTREAMS__TRANSPORT": kind,
        "BFF__UPSTREAMS__SERVICES__CONTENT__URL": content,
        "BFF__SCREENS__DEADLINE_MS": str(DEADLINE_MS),
        "BFF__EDGE__LAME_DUCK_S": "0",
    }
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
    name = f"late-{kind}"
    with Children() as children:
        child = children.start(
            name, command, environment, f"http://127.0.0.1:{port}", stack.where.log_file(name)
        )
        children.wait_ready(child)
        yield child


def _save(stack: Stack, url: str, token: str) -> dict[str, Any]:
    save = registered(stack.settings("ios"), "ios", "SaveItem").id
    variables = {"input": {"idempotencyKey": uuid.uuid4().hex, "itemId": ITEM}}
    answer = httpx2.post(
        f"{url}/graphql",
        json={"documentId": save, "variables": variables},
        headers={"authorization": f"Bearer {token}"},
        timeout=20,
        trust_env=False,
    )
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("kind", ["pyreqwest", pytest.param("httpx2", marks=pytest.mark.verify)])
def test_write_outlives_its_request(stack: Stack, kind: str) -> None:
    """The app hears DEADLINE_EXCEEDED in time; the gateway, told to end in that moment, still waits
    for the outcome, which is in its log, and exits 0."""
    token = stack.token(stack.handle(WRITER))
    upstream = {"content": f"{stack.where.service_port('content')}/http"}
    with fault_proxy(upstream) as proxy, gateway(stack, proxy.url("content"), kind) as child:
        proxy.set("content", Fault(Kind.LATENCY, ms=LATE_MS, only="/v1/saved/"))
        body = _save(stack, child.url, token)
        child.process.send_signal(signal.SIGTERM)
        assert _injected(proxy) == 1, "the fault was not injected"
        code = child.process.wait(20)
    assert [one["extensions"]["code"] for one in body["errors"]] == ["DEADLINE_EXCEEDED"]
    assert code == 0
    ended = [
        line for line in child.log_file.read_text().splitlines() if "effect_ended_late" in line
    ]
    assert len(ended) == 1
    assert '"outcome":"ok"' in ended[0].replace('": "', '":"')


def _injected(proxy: FaultProxy) -> int:
    return proxy.counts("content").injected
