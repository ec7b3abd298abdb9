"""Whatever happens to the registry of a running gateway, no request fails that a known document
could answer, and nothing of the registry is lost."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from bff import config as settings_module
from bff.commands.schema import sdl
from persisted_queries.log import entry_path, seal
from persisted_queries.model import AnyEntry, Record, RegistryState, SetState
from persisted_queries.publish import append
from persisted_queries.signing import make_signer
from tests.e2e.test_registry import FEED, HANDLE, code, identity
from tests.harness.governed import App, Governance, within
from tests.harness.registries import Made, made_in
from tests.harness.stack import Stack
from tests.unit.persisted_queries.test_object_store import Bucket
from tests.unit.persisted_queries.test_object_store import bucket as bucket

pytestmark = pytest.mark.modeless

FIRST = "1.0+1"
IDS = {"Feed": identity(FEED), "Handle": identity(HANDLE)}
# Whoever asks: a release that is known, one that nobody published, and one that says nothing.
ASKED = [
    (App("ios", FIRST, IDS), "Feed"),
    (App("ios", FIRST, IDS), "Handle"),
    (App("ios", "9.9+9", IDS), "Feed"),
    (App("ios", "", IDS), "Handle"),
]
ENOUGH = 12


def text(number: int) -> str:
    """A document that no other test publishes."""
    return f"query Own{number} {{ home {{ feed(first: {number}) {{ hasMore }} }} }}"


@dataclass
class Load:
    """Requests that known documents answer, one after another, and those that failed."""

    world: Governance
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ends with the assertion that none failed, and that enough were asked to the end."""
        self._stop.clear()
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            self.goes_on()
            yield
            self.goes_on()
        finally:
            self._stop.set()
            thread.join()
        assert self.failed == []

    def goes_on(self) -> None:
        """Wait until more requests were answered."""
        enough = self.answered.total() + ENOUGH
        within(lambda: self.answered.total() >= enough, "requests are not answered any more")

    def _ask(self) -> None:
        number = 0
        while not self._stop.wait(0.01):
            app, operation = ASKED[number % len(ASKED)]
            number += 1
            try:
                answer = self.world.ask(app, operation)
            except httpx2.HTTPError as error:
                self.failed.append(f"{app.release} {operation}: {error!r}")
                return
            if answer.status_code != 200 or "errors" in answer.json():
                self.failed.append(f"{app.release} {operation}: {answer.text}")
            self.answered[app.release] += 1


@dataclass
class Fed:
    """A gateway under load, and its registry."""

    world: Governance
    load: Load
    built: str
    number: int = 0

    def publish(self, name: str, *texts: str, made: Made | None = None) -> None:
        (made or self.world.made()).publish(name, *texts, sdl=self.built)

    def counted(self, event: str) -> float:
        """How often the gateway has met a problem of the registry."""
        start = f'facet_events_total{{event="registry_{event}"}} '
        lines = self.world.metrics().splitlines()
        return next((float(one.removeprefix(start)) for one in lines if one.startswith(start)), 0)

    @contextmanager
    def meets(self, event: str) -> Iterator[None]:
        """What is done within makes the gateway meet this problem: the fault is there."""
        before = self.counted(event)
        yield
        within(lambda: self.counted(event) > before, f"the gateway never met {event}")

    def ask(self, release: str, document: str) -> str | None:
        """The code of the answer, None for one with data alone."""
        _, name, *_ = document.split()
        answer = self.world.ask(App("ios", release, {name: identity(document)}), name)
        assert answer.status_code == 200, answer.text
        return code(answer.json())

    def serves(self, release: str, *texts: str) -> None:
        """A published release is answered its documents, and no other's: it is known."""
        within(lambda: self.ask(release, HANDLE) == "DOCUMENT_NOT_IN_RELEASE", f"{release} unknown")
        within(lambda: all(self.ask(release, one) is None for one in texts), f"{release} unserved")

    def next(self) -> tuple[str, str]:
        """A release that is not there yet, and a document of its own."""
        self.number += 1
        return f"2.{self.number}+1", text(self.number)

    @contextmanager
    def aside(self) -> Iterator[tuple[Made, Callable[[], list[Path]]]]:
        """The same registry in another folder to write to, and the paths of what was written, in
        the order in which they were stored: what the log names comes before it."""
        folder = self.world.folder / "aside"
        shutil.copytree(self.world.registry, folder, ignore=shutil.ignore_patterns("usage"))
        before = set(_files(folder))
        made = made_in(folder)
        made.signer = self.world.made().signer

        def new() -> list[Path]:
            found = [one for one in _files(folder) if one not in before]
            return sorted(found, key=lambda one: (one.parts[0] == "log", one))

        try:
            yield made, new
        finally:
            shutil.rmtree(folder)

    def deliver(self, path: Path, change: Callable[[bytes], bytes] = lambda data: data) -> Path:
        """Put one of these paths into the registry; `change` may spoil it."""
        target = self.world.registry / path
        unfinished = target.with_name(".unfinished")
        unfinished.write_bytes(change((self.world.folder / "aside" / path).read_bytes()))
        unfinished.replace(target)
        return target


def _files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]


def flipped(data: bytes) -> bytes:
    """One bit is another."""
    return data[:3] + bytes([data[3] ^ 1]) + data[4:]


@pytest.fixture(scope="module")
def fed(stack: Stack, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fed]:
    """One gateway for all faults: each test takes its own back."""
    world = Governance(stack, tmp_path_factory.mktemp("faults"), token, ("ios",))
    found = Fed(world, Load(world), sdl(settings_module.load().platforms["ios"]))
    found.publish(FIRST, FEED, HANDLE)
    with world.running():
        yield found


def test_store_that_is_gone(fed: Fed) -> None:
    """Requests go on; what is published when the store is back is served, and what was asked
    meanwhile is in the usage."""
    registry = fed.world.registry
    with fed.load.running():
        with fed.meets("gone"):
            registry.rename(registry.with_name("away"))
        fed.load.goes_on()
        registry.with_name("away").rename(registry)
        name, own = fed.next()
        fed.publish(name, FEED, own)
        fed.serves(name, FEED, own)
    fed.world.until_flushed()
    told = ("--platform", "ios", "--format", "json")
    used = fed.world.bff("usage", "release", *told).json["releases"]
    found = {one["release"]: one["requests"] for one in used}
    assert (found[FIRST], found["9.9+9"]) == (fed.load.answered[FIRST], fed.load.answered["9.9+9"])


@pytest.mark.parametrize("kind", ["documents", "manifests", "schemas"])
def test_object_that_is_corrupted(fed: Fed, kind: str) -> None:
    """A release is served without the object that is corrupt: a document alone is unknown, without
    its manifest it may ask anything, without its schema it is whole; mended, all is."""
    name, own = fed.next()
    with fed.load.running(), fed.aside() as (made, new):
        built = f"{fed.built}\nenum Own{fed.number} {{ A }}\n" if kind == "schemas" else fed.built
        made.publish(name, FEED, own, sdl=built)
        with fed.meets("damaged"):
            spoilt = [one for one in new() if one.parts[0] == kind]
            for path in new():
                fed.deliver(path, flipped if path == spoilt[0] else lambda data: data)
        within(lambda: fed.ask(name, FEED) is None)
        if kind == "documents":
            fed.serves(name, FEED)
            assert fed.ask(name, own) == "DOCUMENT_NOT_REGISTERED"
        elif kind == "manifests":
            assert fed.ask(name, HANDLE) is None
        fed.load.goes_on()
        fed.deliver(spoilt[0])
        fed.serves(name, FEED, own)


def test_entry_that_is_half_written(fed: Fed) -> None:
    """The half is not believed; the whole is."""
    name, own = fed.next()
    with fed.load.running(), fed.aside() as (made, new):
        fed.publish(name, FEED, own, made=made)
        with fed.meets("signature"):
            *before, entry = new()
            for path in before:
                fed.deliver(path)
            fed.deliver(entry, lambda data: data[: len(data) // 2])
        assert fed.ask(name, FEED) is None  # as of a release that nobody published
        assert fed.ask(name, HANDLE) is None
        fed.deliver(entry)
        fed.serves(name, FEED, own)


def _forged(fed: Fed, entry: AnyEntry, kid: str) -> Path:
    """An entry where the next one is expected, by a key of that name that is not the right one."""
    state = fed.world.made().reader().state
    record = Record(state.number + 1, state.head, "ios", datetime.now(UTC), "x", entry)
    path = fed.world.registry / entry_path("ios", record.number)
    path.write_bytes(seal(record, make_signer(kid)))
    return path


@pytest.mark.parametrize("kid", ["ios-1", "other"])
def test_signature_that_is_wrong(fed: Fed, kid: str) -> None:
    """What a wrong key says is not believed: who it says is blocked is answered."""
    version, _, build = FIRST.partition("+")
    with fed.load.running():
        with fed.meets("signature"):
            forged = _forged(fed, SetState(version, build, "blocked"), kid)
        fed.load.goes_on()
        forged.unlink()
        name, own = fed.next()
        fed.publish(name, own)
        fed.serves(name, own)


def test_older_state_that_is_replayed(fed: Fed) -> None:
    """A store put back to what was valid once brings nothing back: who was blocked since stays so,
    after a restart of the gateway too. The newer state is taken up again."""
    name, own = fed.next()
    fed.publish(name, own)
    fed.serves(name, own)
    registry = fed.world.registry
    older, newer = registry.with_name("older"), registry.with_name("newer")
    with fed.load.running():
        shutil.copytree(registry, older)
        fed.world.made().set_state(name, "blocked")
        within(lambda: fed.ask(name, own) == "CLIENT_BLOCKED")
        with fed.meets("forked"):
            registry.rename(newer)
            older.rename(registry)
        assert fed.world.made().reader().state.releases[name].state == "live"  # valid by itself
        fed.load.goes_on()
        assert fed.ask(name, own) == "CLIENT_BLOCKED"
    fed.world.restart("ios")
    with fed.load.running():
        within(lambda: fed.counted("forked"))
        assert fed.ask(name, own) == "CLIENT_BLOCKED"
        registry.rename(older)
        newer.rename(registry)
        fed.world.made().set_state(name, "live")
        fed.serves(name, own)


def test_two_publishers_at_once(fed: Fed) -> None:
    """Of two that write the same entry of the log, one comes too late and writes the next: the
    gateway serves both releases."""
    (one, its), (other, others) = fed.next(), fed.next()
    asked = 0
    with fed.load.running():
        fed.publish(one, its)

        def decide(_state: RegistryState) -> AnyEntry:
            nonlocal asked
            asked += 1
            if asked == 1:
                fed.publish(other, others)  # in between
            version, _, build = one.partition("+")
            return SetState(version, build, "sunset", reason="slow writer")

        append(fed.world.made().writer(), decide)
        assert asked == 2
        fed.serves(one, its)
        fed.serves(other, others)
        states = fed.world.made().reader().state.releases
        assert (states[one].state, states[other].state) == ("sunset", "live")


@pytest.mark.parametrize("years", [-100, 100])
def test_clock_that_is_wrong(fed: Fed, years: int) -> None:
    """A release that was published a century ago, or will be, is served like any other, and so is
    what comes after it."""
    name, own = fed.next()
    with fed.load.running():
        at = datetime.now(UTC) + timedelta(days=365 * years)
        fed.world.made().publish(name, own, sdl=fed.built, at=at)
        assert fed.world.made().reader().state.releases[name].published == at
        fed.serves(name, own)
        after, own = fed.next()
        fed.publish(after, own)
        fed.serves(after, own)


def test_store_that_is_slow(stack: Stack, token: str, tmp_path: Path, bucket: Bucket) -> None:
    """An object store that does not answer delays what is new, and no request; a gateway that
    starts meanwhile has what the one before it had read."""
    world = Governance(stack, tmp_path, token, ("ios",), "s3://bucket/registry")
    fed = Fed(world, Load(world), sdl(settings_module.load().platforms["ios"]))
    fed.publish(FIRST, FEED, HANDLE)
    with world.running():
        with fed.load.running():
            bucket.let_answer.clear()
            asked = bucket.asked
            within(lambda: bucket.asked > asked, "the gateway does not ask the slow store")
            fed.load.goes_on()
        world.restart("ios")
        with fed.load.running():
            assert fed.counted("gone") > 0
            bucket.let_answer.set()
            name, own = fed.next()
            fed.publish(name, own)
            fed.serves(name, own)
