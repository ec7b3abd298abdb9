"""The composition root: settings in, one platform's process out, started and stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from structlog.testing import capture_logs

from bff import config as settings_module
from bff.app import build, build_gateway, stopped
from bff.config import Settings
from bff.errors import ConfigError
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure
from tests.unit.bff.access.tokens import KEYS_PATH, Identity, signed
from tests.unit.bff.upstreams.fakes import KEY, FakeTransport, sample

Make = Callable[..., Settings]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Settings of a platform named ios over the tiny schema; `changes` go into its entry."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "key.jwk").write_text(json.dumps(KEY.as_dict(private=True)))

    def settings(deadline_ms: int = 1500, key: bool = True, **changes: Any) -> Settings:
        platform = {
            "schema_object": "tests.unit.bff.tiny:schema",
            "releases": str(tmp_path / "releases"),
            "port_offset": 1,
            **changes,
        }
        content = {
            "platforms": {"ios": platform},
            "screens": {"deadline_ms": deadline_ms},
            "access": {"revocations_poll_s": 0.01},
            "upstreams": {
                "services": {
                    name: {"url": f"http://{name}.test"} for name in ("accounts", "content")
                },
                **({"key_file": str(tmp_path / "key.jwk")} if key else {}),
            },
        }
        (tmp_path / "bff.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.setenv("BFF_CONFIG", str(tmp_path / "bff.yaml"))
        return settings_module.load()

    return settings


def release(folder: Path, name: str, operations: dict[str, str]) -> None:
    (folder / name).mkdir()
    (folder / name / "manifest.json").write_text(json.dumps(operations))


async def test_application_answers(make: Make) -> None:
    """From start to stop: not ready, ready once keys and revocations were read, an operation,
    metrics; at the end the transport is closed."""
    identity = Identity(keys=TransportFailure("refused"))
    transport = FakeTransport(identity)
    app = build(make(), "ios", transport=transport)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://ios")
    with capture_logs():
        async with app.router.lifespan_context(app), client, asyncio.timeout(20):
            assert (await client.get("/readyz")).status_code == 503
            identity.keys = Identity().keys
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
            headers = {"authorization": f"Bearer {signed()}"}
            asked = {"query": "mutation { save }"}
            found = await client.post("/graphql", json=asked, headers=headers)
            assert found.json()["data"] == {"save": "account-1"}
            assert "facet_requests_total" in (await client.get("/metrics")).text
            assert not transport.closed
    assert transport.closed


async def test_stop_closes_whatever_happened(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A background task that died of a fault of ours does not keep the process from closing what
    it holds."""
    transport = FakeTransport(Identity())
    gateway = build_gateway(make(), "ios", transport=transport)

    async def broken(_: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(gateway.keys, "refresh", broken)
    async with gateway.running():
        await asyncio.sleep(0)
    assert transport.closed


async def test_background_calls_have_their_own_time(make: Make) -> None:
    """Polls are not bound by how fast a screen must be."""
    transport = FakeTransport(Identity())
    gateway = build_gateway(make(deadline_ms=50), "ios", transport=transport)
    await gateway.keys.refresh(gateway.caller())
    assert transport.calls[0].timeout == 1.0
    assert transport.paths == [KEYS_PATH]


async def test_guards_know_how_late_the_loop_is(make: Make) -> None:
    """What admission measures of this process keeps it from blaming services for its own lag."""
    gateway = build_gateway(make(), "ios", transport=FakeTransport(_nothing))
    load = gateway.pipeline.authenticator.load
    assert load is not None
    load.lag_s = 0.7
    assert gateway.pipeline.services.guards.lag() == 0.7


async def test_stop_waits_for_writes(make: Make) -> None:
    """The transport is closed only once the writes under way have ended."""
    identity = Identity()
    transport = FakeTransport(identity)
    gateway = build_gateway(make(), "ios", transport=transport)
    ended_open = []

    async def write() -> None:
        await asyncio.sleep(0.05)
        ended_open.append(not transport.closed)

    with capture_logs():
        async with asyncio.timeout(20), gateway.running():
            gateway.pipeline.services.effects.start(write())
    assert (ended_open, transport.closed) == ([True], True)


async def test_readiness_outlasts_the_services(make: Make) -> None:
    """Once ready, a gateway stays in rotation when the identity service goes away."""
    identity = Identity()
    gateway = build_gateway(make(), "ios", transport=FakeTransport(identity))
    with capture_logs():
        assert "never read" in (await gateway.ready())["identity"]
        await gateway.keys.refresh(gateway.caller())
        assert "never read" in (await gateway.ready())["identity"]
        await gateway.pipeline.revocations.refresh(gateway.caller())
        assert await gateway.ready() == {"identity": "ok"}
        identity.keys = identity.revocations = TransportFailure("refused")
        await gateway.keys.refresh(gateway.caller())
        await gateway.pipeline.revocations.refresh(gateway.caller())
    assert await gateway.ready() == {"identity": "ok"}


async def test_releases_are_served_and_counted(make: Make, tmp_path: Path) -> None:
    """Documents of the releases are registered; the releases get metric labels."""
    text = "query Square { square(of: 3) }"
    release(tmp_path / "releases", "7.3.0+1", {"square-id": text})
    gateway = build_gateway(make(), "ios", transport=FakeTransport(_nothing))
    metrics = gateway.pipeline.services.metrics
    assert sample(metrics, "facet_documents_registered") == 1
    for claimed in ("7.3.0+1", "9.9.9+9"):
        metrics.answered(None, claimed, "ok", 0.01)
    labels = {"platform": "ios", "outcome": "ok"}
    name = "facet_release_requests_total"
    assert sample(metrics, name, release="7.3.0+1", **labels) == 1
    assert sample(metrics, name, release="other", **labels) == 1


def _nothing(_: Outgoing) -> Incoming:
    raise AssertionError("nobody is asked")


async def test_unknown_platform_is_refused(make: Make) -> None:
    """A platform that is not set says which are."""
    with pytest.raises(ConfigError, match=r"platforms\.tv is not set; known platforms: ios"):
        build(make(), "tv", transport=FakeTransport(_nothing))


@pytest.mark.parametrize(
    ("schema_object", "said"),
    [
        ("schema.nowhere:schema", "No module named"),
        ("tests.unit.bff.tiny:nothing", "has no attribute"),
        ("tests.unit.bff.tiny:Query", "is no strawberry.Schema"),
    ],
)
async def test_wrong_schema_is_refused(make: Make, schema_object: str, said: str) -> None:
    """A schema object that is not there, or is none, is named."""
    with pytest.raises(ConfigError, match=said) as refused:
        build(make(schema_object=schema_object), "ios", transport=FakeTransport(_nothing))
    assert schema_object in str(refused.value)


async def test_missing_releases_are_refused(make: Make, tmp_path: Path) -> None:
    """A folder of releases that is not there is a wrong setting."""
    wrong = make(releases=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"platforms\.ios\.releases"):
        build(wrong, "ios", transport=FakeTransport(_nothing))


async def test_missing_key_is_refused(make: Make) -> None:
    """Without its key a gateway does not start."""
    with pytest.raises(ConfigError, match=r"upstreams\.key_file is not set"):
        build(make(key=False), "ios", transport=FakeTransport(_nothing))


async def test_task_that_misses_its_cancel_ends() -> None:
    """A task that goes on when it is cancelled first is cancelled again, and the others' errors
    are no matter."""
    told: list[str] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                told.append("cancelled")
                if len(told) > 1:
                    raise

    async def broken() -> None:
        raise RuntimeError("broken before")

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(broken())]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await stopped(tasks)
    assert told == ["cancelled"] * 2
    assert all(task.done() for task in tasks)
