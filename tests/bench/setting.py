"""What the rows of one run share: operation, viewers, stub services, ports, a folder for files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson

from bff import config as settings_module
from bff.documents.releases import releases_of
from persisted_queries.manifest import ManifestOperation
from tests.bench import screen
from tests.bench.data import Data, make_data
from tests.bench.identities import Identities
from tests.bench.processes import CannotMeasureError, Cores, Pinned, ask, pinned

PLATFORM = "ios"
OPERATION = "Home"
LATEST = 3
READY_WITHIN_S = 30.0


@dataclass(frozen=True)
class Stubs:
    """The running stub services."""

    process: Pinned
    ports: dict[str, int]

    async def calls(self) -> dict[str, int]:
        """Calls of screens so far, by service."""
        found: dict[str, int] = orjson.loads(await self._ask(b"/__counts"))
        return found

    async def delay(self, ms: float) -> None:
        """From now on every answer comes so much later."""
        await self._ask(b"/__delay?ms=%g" % ms)

    async def _ask(self, path: bytes) -> bytes:
        request = b"GET %b HTTP/1.1\r\nhost: bench\r\n\r\n" % path
        return (await ask(self.process, next(iter(self.ports.values())), request)).body


@dataclass(frozen=True)
class Setting:
    """One run's."""

    folder: Path
    cores: Cores
    data: Data
    identities: Identities
    stubs: Stubs
    operation: ManifestOperation
    release: str
    first: int

    @property
    def variables(self) -> dict[str, int]:
        """All that have defaults too: apps send them, and graphql-jit insists."""
        return {"first": self.first, "latest": LATEST}

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.stubs.ports[service]}"

    def expected(self, viewer: str) -> screen.Json:
        """The `data` a viewer must get, worked out by hand."""
        data = self.data
        entries = data.feeds[viewer][: self.first]
        feed = {"entries": entries, "next_cursor": f"after-{self.first}", "has_more": True}
        inbox = {**data.heads[viewer], "latest": data.heads[viewer]["latest"][:LATEST]}
        cards = msgspec.convert(list(data.cards.values()), list[screen.Card])
        stats = msgspec.convert(list(data.stats.values()), list[screen.Stats])
        found: screen.Json = screen.home(
            viewer,
            msgspec.convert(feed, screen.Feed),
            msgspec.convert(inbox, screen.Head),
            cards,
            stats,
        )["data"]
        return found


@asynccontextmanager
async def make_setting(folder: Path, cores: Cores, first: int) -> AsyncIterator[Setting]:
    """Start the stubs and make what the rows need. Raises CannotMeasureError."""
    data = make_data()
    identities = Identities.make(folder, data.viewers, f"bff-{PLATFORM}")
    config = settings_module.load().platforms[PLATFORM]
    release = releases_of(PLATFORM, config)[-1]
    operation = next(one for one in release.manifest.operations if one.name == OPERATION)
    async with running_stubs(folder, cores.others, identities.public_keys) as stubs:
        yield Setting(folder, cores, data, identities, stubs, operation, release.name, first)


@asynccontextmanager
async def running_stubs(folder: Path, core: int, public_keys: Path) -> AsyncIterator[Stubs]:
    """The stub services on a core, listening. Raises CannotMeasureError."""
    log = folder / "stubs.log"
    command = [sys.executable, "-m", "tests.bench.stubs", str(public_keys)]
    with pinned("stubs", command, core, log, {}) as process:
        async with asyncio.timeout(READY_WITHIN_S):
            while not (said := log.read_text()).endswith("\n"):
                if process.process.poll() is not None:
                    raise CannotMeasureError(f"the stub services ended:\n{said}")
                await asyncio.sleep(0.02)
        yield Stubs(process, orjson.loads(said))
