"""What a service sends without end costs a gateway process next to no memory (R5)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from bff.commands.development import SERVICES
from bff.commands.processes import Child, Children
from tests.chaos import memory
from tests.harness.databases import free_port
from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.modes import wait_until_compiled
from tests.harness.stack import Stack, ask, registered

pytestmark = [pytest.mark.verify, pytest.mark.modeless, pytest.mark.timeout(300)]
MOST_MB = 64.0
AT_ONCE = 10
FAULTS = (
    Fault(Kind.HUGE, mb=100),
    Fault(Kind.HUGE_CHUNKED, mb=100),
    Fault(Kind.GZIP_BOMB, mb=300),
    Fault(Kind.HEADER_FLOOD, mb=20),
)
CODES = {"UPSTREAM_BAD_RESPONSE", "UPSTREAM_UNAVAILABLE"}


@contextmanager
def gateway(stack: Stack, proxy: FaultProxy, kind: str) -> Iterator[Child]:
    """A gateway process behind the proxy, whose breaker stays out of the way."""
    port = free_port()
    environment = {**stack.where.bff_environment("ios"), "BFF__UPSTREAMS__TRANSPORT": kind}
    environment["BFF__CACHE__ENABLED"] = "false"
    for name in SERVICES:
        service = f"BFF__UPSTREAMS__SERVICES__{name.upper()}"
        environment[f"{service}__URL"] = proxy.url(name)
        environment[f"{service}__GUARD__BREAKER_CALLS"] = "1000000"
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
    with Children() as children:
        log = stack.where.log_file(f"memory-{kind}")
        child = children.start(
            f"memory-{kind}", command, environment, f"http://127.0.0.1:{port}", log
        )
        children.wait_ready(child)
        wait_until_compiled(lambda: httpx2.get(f"{child.url}/metrics", trust_env=False).text)
        yield child


@pytest.mark.parametrize("kind", ["pyreqwest", "httpx2"])
async def test_endless_answers_cost_no_memory(stack: Stack, token: str, kind: str) -> None:
    """100 MB with and without a length, 300 MB in a gzip bomb, 20 MB of headers, ten at once: each
    is a coded error, and the process grows by 64 MB at most."""
    home = registered(stack.settings("ios"), "ios", "Home").id
    upstreams = {name: f"{stack.where.service_port(name)}/http" for name in SERVICES}
    with fault_proxy(upstreams) as proxy, gateway(stack, proxy, kind) as child:
        async with httpx2.AsyncClient(base_url=child.url, timeout=30, trust_env=False) as client:
            for _ in range(20):
                assert "errors" not in await ask(client, home, token=token)
            for fault in FAULTS:
                proxy.set("content", fault)
                await ask(client, home, token=token)
                proxy.counts("content")  # it answers once it has made its reply, which it keeps
                before = memory.mark(child.process.pid)
                asked = (ask(client, home, token=token) for _ in range(AT_ONCE))
                bodies = await asyncio.gather(*asked)
                counts = proxy.clear("content")
                grown = memory.highest(child.process.pid) - before
                assert counts.injected > AT_ONCE, f"{fault.kind} was not injected"
                codes = {one["extensions"]["code"] for body in bodies for one in body["errors"]}
                assert codes <= CODES | {"UPSTREAM_TIMEOUT", "DEADLINE_EXCEEDED"}, fault.kind
                assert grown <= MOST_MB, f"{fault.kind}: {grown:.0f} MB"
                assert "errors" not in await ask(client, home, token=token)
