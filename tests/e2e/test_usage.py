"""What a gateway counts is what was sent, and what it could not write is never called unused."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
import redis
from click.testing import CliRunner, Result

from bff import config as settings_module
from bff.__main__ import cli
from bff.commands.processes import Child
from bff.commands.schema import sdl
from persisted_queries.model import SetState
from persisted_queries.rollups import ALL_DOCUMENTS
from persisted_queries.usage import Usage, read_usage
from persisted_queries.usage_view import UNSEEN
from tests.e2e.test_registry import FEED, HANDLE, Governed, identity
from tests.harness.databases import redis_url as redis_url
from tests.harness.stack import Stack
from tests.unit.persisted_queries.rollup_days import write

pytestmark = pytest.mark.modeless

SAVED = "query Saved { home { feed(first: 1) { entries { saved } } } }"
UNKNOWN = "query Unknown { inbox { __typename } }"
CHEAP = "query Cheap { inbox { __typename } }"
RELEASES = {
    "1.0+1": (CHEAP, FEED),
    "1.1+1": (CHEAP, FEED, HANDLE),
    "2.0+7": (CHEAP, FEED, HANDLE, SAVED),
}
FLUSH_S = 0.5
# Long enough for some requests and a kill between two flushes.
KILLED_FLUSH_S = 3.0


class Sent(NamedTuple):
    """One request as the test sent it."""

    release: str
    document: str
    device: str


class Seen:
    """What the test itself counts of the answers it got."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.devices: dict[tuple[str, str], set[str]] = {}

    def note(self, sent: Sent, body: bytes) -> None:
        failed = b'"errors":[' in body
        documents = [ALL_DOCUMENTS]
        if sent.document != UNKNOWN:
            documents.append(identity(sent.document))
        for document in documents:
            pair = (sent.release, document)
            self.requests[pair] += 1
            self.errors[pair] += failed
            self.bytes[pair] += len(body)
            self.devices.setdefault(pair, set()).add(sent.device)


class Used(Governed):
    """A registry with three releases, and gateways that count."""

    def publish_all(self) -> None:
        for name, texts in RELEASES.items():
            self.publish(name, *texts)

    @contextmanager
    def counting(self, flush_s: float = FLUSH_S, **environment: str) -> Iterator[Child]:
        told = {"BFF__USAGE__FLUSH_S": str(flush_s), **environment}
        with mock.patch.dict(os.environ, told), self.gateway() as child:
            yield child

    def view(self, *, wait: bool = False) -> Usage:
        return read_usage(self.made.store, "ios", 1, wait=wait)

    def command(self, *words: str) -> Result:
        """A verb of `bff` over this registry, in this process."""
        told = ["--registry", str(self.folder / "registry"), "--key", str(self.key)]
        return CliRunner().invoke(cli, [*words, *told, "--format", "json"], catch_exceptions=False)

    def usage(self, *words: str) -> dict[str, Any]:
        """`bff usage …` as JSON."""
        done = self.command("usage", *words, "--platform", "ios")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.output)
        return found

    def live(self, redis_url: str) -> Counter[str]:
        """`bff usage live`: requests by release."""
        words = ["usage", "live", "--platform", "ios", "--format", "json"]
        with mock.patch.dict(os.environ, {"BFF__STORE__REDIS_URL": redis_url}):
            done = CliRunner().invoke(cli, words, catch_exceptions=False)
        found: Counter[str] = Counter()
        for one in json.loads(done.output)["used"]:
            found[one["release"]] += one["requests"]
        return found


@pytest.fixture
def used(stack: Stack, tmp_path: Path, token: str) -> Used:
    found = Used(stack, tmp_path, token)
    found.publish_all()
    return found


def drawn(count: int, devices: int, dear: float = 1.0) -> list[Sent]:
    """Requests of all releases for their documents, some of them for one nobody registered; `dear`
    of them may be for what calls services."""
    dice = random.Random(4)
    found = []
    for _ in range(count):
        release = dice.choice(list(RELEASES))
        sent = RELEASES[release] if dice.random() < dear else [CHEAP]
        document = dice.choice([*sent, UNKNOWN])
        found.append(Sent(release, document, f"device-{dice.randrange(devices)}"))
    return found


async def ask_all(gateway: Child, token: str, asked: list[Sent], seen: Seen) -> None:
    """Send them over a few connections, and note what came back."""
    waiting = iter(asked)
    port = int(gateway.url.rpartition(":")[2])

    async def one_after_the_other() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for sent in waiting:
            writer.write(written(sent, token))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            seen.note(sent, await reader.readexactly(size))
        writer.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(8)))


def written(sent: Sent, token: str) -> bytes:
    """A request as it goes over the wire: client libraries would take longer than the gateway."""
    body = b'{"documentId":"%s"}' % identity(sent.document).encode()
    lines = [
        "POST /graphql HTTP/1.1",
        "host: gateway",
        "content-type: application/json",
        f"authorization: Bearer {token}",
        f"apollographql-client-version: {sent.release}",
        f"x-device-id: {sent.device}",
        f"content-length: {len(body)}",
        "\r\n",
    ]
    return "\r\n".join(lines).encode() + body


async def flushed(used: Used) -> None:
    """Returns when a gateway has just written a roll-up: the next is a whole interval away."""
    before = len(used.made.store.paths("usage"))
    async with asyncio.timeout(60):
        while len(used.made.store.paths("usage")) == before:
            await asyncio.sleep(0.02)


def assert_equal(view: Usage, seen: Seen) -> None:
    """Everything but estimates, pair by pair."""
    pairs = view.pairs()
    assert {pair: one.requests for pair, one in pairs.items()} == dict(seen.requests)
    assert {pair: one.errors for pair, one in pairs.items()} == {
        pair: seen.errors[pair] for pair in seen.requests
    }
    assert {pair: one.bytes_out for pair, one in pairs.items()} == dict(seen.bytes)


async def test_what_is_sent_is_what_is_counted(used: Used) -> None:
    """Requests, errors, bytes and devices of three releases, by document, equal those sent, through
    the flushes of a gateway that ends in good order; and `bff usage` tells so."""
    seen, asked = Seen(), drawn(300, devices=40)
    with used.counting() as gateway:
        await ask_all(gateway, used.token, asked[:200], seen)
        await flushed(used)
        await ask_all(gateway, used.token, asked[200:], seen)
    view = used.view()
    assert_equal(view, seen)
    assert {pair: one.devices for pair, one in view.pairs().items()} == {
        pair: len(devices) for pair, devices in seen.devices.items()
    }
    assert view.devices() == len({sent.device for sent in asked})
    told = used.usage("release")
    assert {one["release"]: one["requests"] for one in told["releases"]} == {
        release: seen.requests[release, ALL_DOCUMENTS] for release in RELEASES
    }
    (reader,) = used.usage("field", "FeedEntry.saved")["readers"]
    assert (reader["release"], reader["operations"]) == ("2.0+7", ["Saved"])
    assert reader["requests"] == seen.requests["2.0+7", identity(SAVED)]


async def test_a_kill_loses_one_flush_and_says_so(used: Used, redis_url: str) -> None:
    """After kill -9, with Redis emptied, only what came since the last flush is missing, and from
    then on usage is unknown; while the gateway ran it was known up to the moment."""
    begins = datetime.now(UTC)
    early, late = Seen(), Seen()
    with used.counting(BFF__STORE__REDIS_URL=redis_url) as gateway:
        opened = datetime.now(UTC)
        await ask_all(gateway, used.token, drawn(60, devices=9), early)
        known = await asyncio.to_thread(used.view, wait=True)
        assert await asyncio.to_thread(known.is_complete, opened)
        assert_equal(known, early)
        assert (await asyncio.to_thread(used.live, redis_url)).total() == 60
    with used.counting(KILLED_FLUSH_S, BFF__STORE__REDIS_URL=redis_url) as gateway:
        await flushed(used)
        await ask_all(gateway, used.token, drawn(8, devices=3), late)
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        gateway.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(gateway.process.wait, 20)
    assert gateway.process.returncode == -signal.SIGKILL
    view = used.view()
    assert_equal(view, early)  # the late ones came within one flush: they are lost …
    assert not view.is_complete(opened)  # … and that is known
    (gap,) = [one for one in view.gaps(begins) if one.process is not None]
    assert gap.ends >= view.opened - timedelta(seconds=1)


def _counted_before(used: Used) -> None:
    """As if a gateway had counted nothing for three days, and stopped in good order just now."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(3, -1, -1):
        begins = midnight - timedelta(days=back)
        ends = min(begins + timedelta(days=1), now)
        write(used.made.store, "before", 4 - back, begins, ends, closes=back == 0)


def _check(used: Used) -> tuple[int, str]:
    """Exit code and findings of `bff check` for a schema without the field only 2.0+7 reads."""
    proposed = used.folder / "proposed.graphql"
    text = sdl(settings_module.load().platforms["ios"])
    assert text.count("  saved: Boolean!\n") >= 1
    within = text.index("type FeedEntry {")
    proposed.write_text(text[:within] + text[within:].replace("  saved: Boolean!\n", "", 1))
    with mock.patch.dict(os.environ, {"BFF__USAGE__WINDOW_DAYS": "1"}):
        done = used.command("check", "ios", "--schema", str(proposed))
    return done.exit_code, done.output


async def test_check_never_says_yes_to_a_gap(used: Used) -> None:
    """A release whose sunset is over stands in no way once it was wholly seen not to be used; a
    request of it that is not flushed yet is waited for, and one lost by a kill -9 is a no."""
    ended = (datetime.now(UTC) - timedelta(days=3)).date()
    used.made.write(SetState("2.0", "7", "sunset", sunset=ended))
    _counted_before(used)
    assert (await asyncio.to_thread(_check, used))[0] == 0
    lost = [Sent("2.0+7", SAVED, "phone")]
    with used.counting(KILLED_FLUSH_S) as gateway:
        await flushed(used)
        await ask_all(gateway, used.token, lost, Seen())
        gateway.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(gateway.process.wait, 20)
    assert used.view().release("2.0+7") is UNSEEN
    code, told = await asyncio.to_thread(_check, used)
    assert code == 1, told
    assert "not wholly known" in told


async def test_check_waits_for_what_is_not_flushed(used: Used) -> None:
    """A request that a running gateway has not flushed yet is use: the check waits for it."""
    ended = (datetime.now(UTC) - timedelta(days=3)).date()
    used.made.write(SetState("2.0", "7", "sunset", sunset=ended))
    _counted_before(used)
    with used.counting(KILLED_FLUSH_S) as gateway:
        await flushed(used)
        await ask_all(gateway, used.token, [Sent("2.0+7", SAVED, "phone")], Seen())
        code, told = await asyncio.to_thread(_check, used)
    assert code == 1, told
    assert "was used on" in told


@pytest.mark.verify
@pytest.mark.timeout(1_800)
async def test_a_hundred_thousand_requests_are_counted(used: Used) -> None:
    """Usage after 100,000 requests over 3 releases equals the requests sent, through flushes of
    two gateways; devices, beyond what is counted exactly, are within four standard errors."""
    seen, asked = Seen(), drawn(100_000, devices=20_000, dear=0.02)
    with used.counting(5) as first, used.counting(5) as second:
        await asyncio.gather(
            ask_all(first, used.token, asked[:50_000], seen),
            ask_all(second, used.token, asked[50_000:], seen),
        )
    view = used.view()
    assert sum(seen.requests[release, ALL_DOCUMENTS] for release in RELEASES) == 100_000
    assert_equal(view, seen)
    for release in RELEASES:
        real = len(seen.devices[release, ALL_DOCUMENTS])
        assert abs(view.release(release).devices / real - 1) < 4 / 1_022**0.5
