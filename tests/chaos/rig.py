"""Three real services, the fault proxy before each of them, and real gateways behind it."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2

from bff.commands.development import SERVICES
from bff.commands.processes import Child, Children
from tests.chaos.wire import Answer, ask, request
from tests.harness.databases import free_port
from tests.harness.faults.fault import Counts
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.stack import Stack, registered, running_stack

SCREENS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"Home": {}, "Profile": {}, "Content": {"id": "itm_00042"}, "Inbox": {}}
)
# Calls that gateways make by themselves.
BACKGROUND = ("/.well-known/jwks.json", "/v1/revocations")
READY_WITHIN_S = 60.0
_PLANS = re.compile(r"^(facet_plans_compiled|facet_documents_registered) (\S+)$", re.MULTILINE)
# As in production; but one viewer asks more here than limits allow anybody, and nobody has to be
# told of a stop before it.
PRODUCTION: Mapping[str, str] = MappingProxyType(
    {
        "BFF_ENV": "production",
        "BFF__PLANS__MODE": "compiled",
        "BFF__TELEMETRY__SAMPLE_RATIO": "0",
        "BFF__LIMITS__ENFORCED": "false",
        "BFF__EDGE__LAME_DUCK_S": "0",
    }
)
_CALLS = re.compile(r"^facet_upstream_calls_total\{(.*)\} (\S+)$", re.MULTILINE)
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass
class Gateway:
    """One gateway process with what it answers when all is well."""

    name: str
    child: Child
    requests: dict[str, bytes]
    compiled: bool = True
    whole: dict[str, Any] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.child.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self.child.process.pid

    async def ask(self, screen: str) -> Answer:
        return await ask(self.port, self.requests[screen])

    async def learn(self) -> None:
        """Ask every screen once and keep its data; all must be whole."""
        for screen in self.requests:
            body = (await self.ask(screen)).json
            assert body is not None, f"{screen}: no JSON"
            assert "errors" not in body, body["errors"]
            self.whole[screen] = body["data"]

    def calls(self, service: str) -> tuple[float, float]:
        """How many calls to that service it made so far, and how many of them were not ok, the
        breaker's refusals with them."""
        made, failed = 0.0, 0.0
        for labels, value in _CALLS.findall(self.metrics()):
            if f'service="{service}"' in labels:
                made += float(value)
                failed += 0.0 if 'outcome="ok"' in labels else float(value)
        return made, failed

    def is_warm(self) -> bool:
        """Whether every registered document has its plan, where plans are made."""
        found = dict(_PLANS.findall(self.metrics()))
        documents = float(found["facet_documents_registered"])
        return not self.compiled or 0 < documents <= float(found["facet_plans_compiled"])

    def metrics(self) -> str:
        return httpx2.get(f"{self.child.url}/metrics", timeout=10, trust_env=False).text


@dataclass
class Rig:
    """Everything that runs."""

    stack: Stack
    proxy: FaultProxy
    children: Children
    platform: str = "ios"
    told: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What a gateway of this rig is told: deadlines and all else as in production, services
        behind the proxy."""
        urls = {
            f"BFF__UPSTREAMS__SERVICES__{name.upper()}__URL": self.proxy.url(name)
            for name in SERVICES
        }
        told = self.stack.where.bff_environment(self.platform)
        return {**told, **urls, **PRODUCTION}

    def start(self, name: str, told: Mapping[str, str] = NOTHING) -> Gateway:
        """Start one gateway; `ready` waits for it."""
        port = free_port()
        command = [sys.executable, "-m", "bff", "serve", self.platform, "--port", str(port)]
        child = self.children.start(
            f"chaos-{name}",
            command,
            {**self.environment(), "BFF__EDGE__OPERATOR_PORT": str(port), **told},
            f"http://127.0.0.1:{port}",
            self.stack.where.log_file(f"chaos-{name}"),
        )
        mode = told.get("BFF__PLANS__MODE", "compiled")
        return Gateway(name, child, self.requests(), mode == "compiled")

    def ready(self, gateways: Sequence[Gateway]) -> None:
        """Wait until all answer by their plans."""
        for gateway in gateways:
            self.children.wait_ready(gateway.child)
        until = time.monotonic() + READY_WITHIN_S
        for gateway in gateways:
            while not gateway.is_warm():
                assert time.monotonic() < until, f"the plans of {gateway.name} are not there"
                time.sleep(0.05)

    def requests(self, token: str | None = None) -> dict[str, bytes]:
        """Every screen's request of the demonstration viewer (or of whose token it is)."""
        settings = self.stack.settings(self.platform)
        token = token or self.stack.token()
        return {
            screen: request(
                {
                    "documentId": registered(settings, self.platform, screen).id,
                    "variables": dict(variables),
                },
                token,
            )
            for screen, variables in SCREENS.items()
        }

    def stop(self, gateway: Gateway) -> None:
        self.children.children.remove(gateway.child)
        gateway.child.process.terminate()
        gateway.child.process.wait(30)


@contextmanager
def running_rig(
    data: Path, seeded: Path | None, environment: Mapping[str, str] = NOTHING
) -> Iterator[Rig]:
    """Services and proxy, started; gateways are for each test to start."""
    with running_stack(data, seeded, platforms=(), environment=environment) as stack:
        upstreams = {name: f"{stack.where.service_port(name)}/http" for name in SERVICES}
        with fault_proxy(upstreams) as proxy, Children() as children:
            yield Rig(stack, proxy, children, told=environment)


def screens_injected(counts: Counts) -> int:
    """How many calls of screens were spoilt; what gateways ask by themselves does not count."""
    spoilt = sum(counts.injected_paths.values())
    return spoilt - sum(counts.injected_paths.get(path, 0) for path in BACKGROUND)


def screens_asked(counts: Counts) -> int:
    """How many calls of screens came to the proxy."""
    return sum(counts.paths.values()) - sum(counts.paths.get(path, 0) for path in BACKGROUND)


async def refuses(port: int) -> bool:
    """Whether nobody listens there."""
    with suppress(ConnectionRefusedError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return False
    return True
