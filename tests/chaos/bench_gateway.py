"""A gateway of its own core before stub services that never are the limit: what overload needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.asking import PLAIN, difference, request
from tests.bench.processes import Cores, Pinned, on_core, pinned, wait_right
from tests.bench.rows import facet
from tests.bench.setting import Setting, make_setting
from tests.chaos.loader import Plan
from tests.chaos.loading import texts
from tests.harness.databases import free_port

FIRST = 12
# Nobody's limit is met by few viewers who ask much.
UNLIMITED = {"BFF__LIMITS__ENFORCED": "false"}


@dataclass(frozen=True)
class Loaded:
    """The gateway, and the home screen of each of its viewers as a request."""

    setting: Setting
    process: Pinned
    port: int
    requests: list[bytes]

    def waited_s(self) -> float:
        """Seconds that its loop was ready to run and did not get the core (proc's schedstat): what
        others took from it."""
        told = Path(f"/proc/{self.process.process.pid}/schedstat").read_text()
        return int(told.split()[1]) / 1e9

    def plan(self, seconds: float, headers: Sequence[str] = (), **told: float | int) -> Plan:
        """A plan that goes round the viewers; `headers` are put into every request."""
        extra = "".join(f"\r\n{line}" for line in headers).encode()
        asked = [one.replace(b"\r\nhost:", extra + b"\r\nhost:", 1) for one in self.requests]
        return Plan(self.port, texts(asked), seconds, **told)  # type: ignore[arg-type]


@asynccontextmanager
async def loaded_gateway(
    folder: Path, mode: str, told: Mapping[str, str] | None = None
) -> AsyncIterator[Loaded]:
    """Running, its answers right. Everything else runs on another core."""
    cores = Cores.choose()
    with on_core(cores.others):
        async with make_setting(folder, cores, FIRST) as setting:
            port = free_port()
            start = facet(setting, port, mode, **{**UNLIMITED, **(told or {})})
            log = folder / f"gateway-{mode}.log"
            with pinned(mode, start.command, cores.gateway, log, start.environment) as process:
                viewers = setting.data.viewers
                asks = [request(setting, PLAIN, viewer, signed=True) for viewer in viewers]
                right = setting.expected(viewers[0])
                await wait_right(
                    process, port, asks[0], lambda reply: difference(reply, PLAIN, right)
                )
                yield Loaded(setting, process, port, asks)
