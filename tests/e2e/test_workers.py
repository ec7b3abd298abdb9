"""Several workers serve as one gateway: crashes, new settings and metrics, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import yaml

from bff import config as settings_module
from bff.commands.processes import Child, Children
from tests.harness.databases import free_port
from tests.harness.raw_http import Wire
from tests.harness.stack import PATIENT, Stack, registered
from tests.harness.steady import Steady, post

pytestmark = pytest.mark.modeless

WORKERS = 2
PER_SECOND = 30
# These tests are about processes, and run on machines that are busy with others.
UNSHED = {"BFF__ADMISSION__MAX_IN_FLIGHT": "0", "BFF__LIMITS__ENFORCED": "false"}


@dataclass
class Group:
    """A supervisor and its workers."""

    child: Child
    port: int
    config: Path
    request: bytes

    def workers(self) -> set[int]:
        """Their process ids, as the system has them."""
        found = set()
        for entry in Path("/proc").glob("[0-9]*/status"):
            try:
                status = entry.read_text()
            except OSError:
                continue
            parent = re.search(r"^PPid:\t(\d+)$", status, re.M)
            if parent and int(parent[1]) == self.supervisor:
                found.add(int(entry.parent.name))
        return found

    @property
    def supervisor(self) -> int:
        return self.child.process.pid

    def signal(self, number: signal.Signals) -> None:
        self.child.process.send_signal(number)

    def metrics(self) -> dict[str, float]:
        """All samples, asked on a connection of its own: of any worker."""
        text = httpx2.get(f"{self.child.url}/metrics", timeout=20).text
        return {name: float(value) for name, value in re.findall(r"^(\w.*) (\S+)$", text, re.M)}

    def answered(self) -> float:
        """Requests answered, by /metrics."""
        found = self.metrics().items()
        return sum(value for name, value in found if name.startswith("facet_requests_total"))

    def change(self, **edge: object) -> None:
        """Write settings of the edge into the file the group was started with."""
        settings = yaml.safe_load(self.config.read_text())
        settings["edge"] |= edge
        self.config.write_text(yaml.safe_dump(settings))

    def logged(self, event: str) -> list[dict[str, object]]:
        lines = self.child.log_file.read_text().splitlines()
        found = [json.loads(line) for line in lines if f'"event":"{event}"' in line]
        return [line for line in found if line["event"] == event]

    @asynccontextmanager
    async def loaded(self, per_second: float = PER_SECOND) -> AsyncIterator[Steady]:
        """Home screens, steadily."""
        async with Steady(self.port, self.request).flowing(per_second) as steady:
            await steady.until(5)
            yield steady


@contextmanager
def running_group(
    stack: Stack, token: str, folder: Path, *arguments: str, **told: str
) -> Iterator[Group]:
    """A group on a copy of the settings file."""
    config = folder / "bff.yaml"
    config.write_bytes(settings_module.config_file().read_bytes())
    port = free_port()
    traces = str(folder / "traces.jsonl")
    environment = {
        **stack.where.bff_environment("ios"),
        **PATIENT,
        **UNSHED,
        "BFF_CONFIG": str(config),
        "BFF__TELEMETRY__TRACES_FILE": traces,
        "BFF__EDGE__LAME_DUCK_S": "0.1",
        **told,
    }
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port), *arguments]
    url = f"http://127.0.0.1:{port}"
    home = registered(stack.settings("ios"), "ios", "Home").id
    request = post("/graphql", json.dumps({"documentId": home}).encode(), token)
    with Children() as children:
        child = children.start("bff-ios-group", command, environment, url, folder / "group.log")
        children.wait_ready(child)
        yield Group(child, port, config, request)


@pytest.fixture(scope="module")
def group(stack: Stack, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    folder = tmp_path_factory.mktemp("group")
    with running_group(stack, token, folder, "--workers", str(WORKERS)) as found:
        yield found


def connections(pid: int, port: int) -> int:
    """How many open connections a process has on its side of a port."""
    ours = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and fields[3] == "01":
            ours.add(f"socket:[{fields[9]}]")
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found += os.readlink(entry) in ours
    return found


async def all_ready(group: Group) -> None:
    """Until the supervisor counts all workers as ready."""
    async with asyncio.timeout(60):
        while group.metrics().get('facet_workers{state="ready"}') != WORKERS:
            await asyncio.sleep(0.05)


async def test_metrics_are_the_sum(group: Group) -> None:
    """Whichever worker is asked, it answers for all: as many requests as were answered."""
    await all_ready(group)
    before = group.answered()
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(group.port)) for _ in range(24)]
        for wire in wires:
            wire.send(group.request)
            assert wire.read().status == 200
        shares = [connections(pid, group.port) for pid in group.workers()]
        assert sum(shares) == len(wires)
        assert min(shares) > 0
        for wire in wires:
            wire.send(b"GET /metrics HTTP/1.1\r\nhost: facet\r\n\r\n")
            text = wire.read().body.decode()
            found = re.findall(r"^facet_requests_total\{.*\} (\S+)$", text, re.M)
            assert sum(map(float, found)) == before + len(wires)


async def test_a_killed_worker_is_replaced(group: Group) -> None:
    """kill -9 under load: only what was under way in that worker is lost; it is counted and
    replaced, the other one serves on, and no counter goes backwards."""
    await all_ready(group)
    before = group.workers()
    victim = min(before)
    async with group.loaded() as load:
        counted = group.answered()
        os.kill(victim, signal.SIGKILL)
        await load.until(lambda: victim not in group.workers())
        assert group.answered() >= counted
        await load.until(lambda: len(group.workers()) == WORKERS)
        await all_ready(group)
        await load.until(10)
        dead = max((one.began for one in load.failed()), default=0)
        assert all(one.what == 200 for one in load.outcomes if one.began > dead)
    # With a second and more of load behind it, at most what two thirds of a second bring.
    assert len(load.failed()) < min(PER_SECOND * 0.66, len(load.outcomes) / 3)
    assert group.workers() > before - {victim}
    assert group.metrics()['facet_worker_restarts_total{reason="crashed"}'] == 1


async def test_new_settings_lose_nothing(group: Group) -> None:
    """SIGHUP under load: every worker is replaced, the new settings are in force, and nobody
    noticed."""
    await all_ready(group)
    before = group.workers()
    large = b'{"query":"' + b" " * 3000 + b'{ __typename }"}'
    assert _status(group, large) == 200
    async with group.loaded() as load:
        group.change(max_body_bytes=2000)
        group.signal(signal.SIGHUP)
        await load.until(lambda: not group.workers() & before, 90)
        await load.until(10)
    assert load.failed() == []
    assert len(group.workers()) == WORKERS
    assert _status(group, large) == 413
    assert group.metrics()['facet_reloads_total{outcome="taken"}'] == 1


async def test_wrong_settings_change_nothing(group: Group) -> None:
    """SIGHUP with settings that are wrong is refused with the reason, and the workers stay."""
    await all_ready(group)
    before = group.workers()
    group.change(max_body_bytes=-1)
    group.signal(signal.SIGHUP)
    async with asyncio.timeout(30):
        while not group.logged("reload_refused"):
            await asyncio.sleep(0.02)
    [line] = group.logged("reload_refused")
    assert "edge.max_body_bytes" in str(line["reason"])
    assert group.workers() == before
    assert group.metrics()['facet_reloads_total{outcome="refused"}'] == 1


@pytest.mark.verify
async def test_wrong_settings_are_never_tried(group: Group) -> None:
    """A worker that replaces a crashed one starts with the settings the others run with, whatever
    somebody is just writing into the file."""
    await all_ready(group)
    before = group.workers()
    group.change(max_body_bytes=-1)
    os.kill(min(before), signal.SIGKILL)
    async with asyncio.timeout(60):
        while len(group.workers() - before) != 1:
            await asyncio.sleep(0.02)
    await all_ready(group)


@pytest.mark.verify
async def test_a_stuck_worker_is_replaced(group: Group) -> None:
    """A worker whose loop stands still is ended and replaced; meanwhile whoever does not meet it is
    served, and metrics are told with what it said last."""
    await all_ready(group)
    before, answered = group.workers(), group.answered()
    stuck = min(before)
    os.kill(stuck, signal.SIGSTOP)
    async with asyncio.timeout(10):
        while "State:\tT" not in Path(f"/proc/{stuck}/status").read_text():
            await asyncio.sleep(0.01)
    assert group.answered() >= answered
    async with asyncio.timeout(90):
        while stuck in group.workers():
            with Wire(group.port) as wire:
                wire.send(group.request)
                assert wire.read().status == 200
            await asyncio.sleep(0.2)
    await all_ready(group)
    assert group.metrics()['facet_worker_restarts_total{reason="hung"}'] == 1


async def test_the_group_ends_well(group: Group) -> None:
    """SIGTERM to the supervisor under load: what was begun is answered, the exit code is 0, and no
    worker is left behind."""
    before = group.workers()
    async with group.loaded() as load:
        group.signal(signal.SIGTERM)
        code = await asyncio.to_thread(group.child.process.wait, 60)
        await load.until(5)
    assert code == 0
    assert {one.what for one in load.failed()} == {"ConnectionRefusedError"}
    assert not any(Path(f"/proc/{pid}").exists() for pid in before)


def _status(group: Group, body: bytes) -> int:
    with Wire(group.port) as wire:
        wire.send(post("/graphql", body))
        return wire.read().status


@pytest.mark.verify
async def test_workers_do_not_outlive_their_supervisor(
    stack: Stack, token: str, tmp_path: Path
) -> None:
    """A supervisor that is killed leaves nobody on the port: its workers finish and end."""
    with running_group(stack, token, tmp_path, "--workers", "1") as group:
        [worker] = group.workers()
        group.signal(signal.SIGKILL)
        async with asyncio.timeout(30):
            while Path(f"/proc/{worker}").exists():
                await asyncio.sleep(0.02)


def test_settings_nobody_can_serve(stack: Stack, tmp_path: Path) -> None:
    """A group whose workers cannot start ends with the exit code of a wrong setting, and says which
    one it is."""
    missing = str(tmp_path / "missing.jwk")
    environment = {**stack.where.bff_environment("ios"), "BFF__UPSTREAMS__KEY_FILE": missing}
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(free_port())]
    log = tmp_path / "group.log"
    with Children() as children:
        child = children.start("group", [*command, "--workers", "1"], environment, "", log)
        assert child.process.wait(60) == 2
    assert missing in log.read_text()
