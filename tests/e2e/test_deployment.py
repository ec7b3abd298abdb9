"""The commands of deploy/compose.yaml, run as they stand there, are a product that works and that
keeps what it is told to itself."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from pyreqwest.client import Client

from bff.commands.development import DEMO_HANDLE, DEMO_PASSWORD, Layout
from bff.commands.seed_registry import make_registry
from bff.config import load
from tests.contract import deploy
from tests.e2e.test_mutations import DEVICES
from tests.harness.deployment import PLATFORMS, SERVICES, Deployment, running_deployment
from tests.harness.leaks import found_in, places
from tests.harness.ports import free_block
from tests.harness.stack import registered

pytestmark = [pytest.mark.modeless, pytest.mark.verify, pytest.mark.timeout(300)]

READERS = {"ios": "acc_01021", "android": "acc_01022", "web": "acc_01023"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A registry with the seed releases, as an operator would have one."""
    where = Layout(load(), free_block(), tmp_path_factory.mktemp("registry"))
    where.make_folders()
    make_registry(where, lambda _: None)
    return where


@pytest.fixture(scope="module")
def deployment(
    made: Layout, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Everything, with every request traced, everything logged, and usage written at once."""
    told = {
        "BFF__TELEMETRY__SAMPLE_RATIO": "1",
        "BFF__TELEMETRY__LOG_LEVEL": "debug",
        "BFF__USAGE__FLUSH_S": "1",
        "BFF__REGISTRY__URL": str(made.registry),
        **{
            f"BFF__PLATFORMS__{platform.upper()}__REGISTRY_KEYS": str(
                made.publishers_file(platform)
            )
            for platform in PLATFORMS
        },
    }
    folder = tmp_path_factory.mktemp("deployed")
    with running_deployment(pytestconfig, folder, told) as running:
        yield running


class Phone:
    """An app of one platform, in front of the edge proxy."""

    def __init__(self, client: Client, deployment: Deployment, platform: str) -> None:
        self._client = client
        self._url = deployment.edge.url(platform)
        self._platform = platform
        self._settings = load()
        self.headers: dict[str, str] = {}

    async def ask(
        self, name: str, variables: Mapping[str, Any] | None = None, status: int = 200
    ) -> dict[str, Any]:
        """One registered operation."""
        document = registered(self._settings, self._platform, name).id
        return await self.send({"documentId": document, "variables": variables or {}}, status)

    async def send(self, body: Any, status: int = 200) -> dict[str, Any]:
        headers = {"content-type": "application/json", **self.headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = self._client.post(f"{self._url}/graphql").headers(headers).body_bytes(content)
        answer = await asked.build().send()
        assert answer.version == "HTTP/2.0"
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found

    async def write(self, name: str, **values: Any) -> dict[str, Any]:
        return await self.ask(name, {"input": {"idempotencyKey": uuid.uuid4().hex, **values}})

    async def sign_in(self, handle: str, password: str, **more: str) -> dict[str, Any]:
        device = {**DEVICES[self._platform], **more}
        return await self.write("SignIn", handle=handle, password=password, **device)


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_is_answered(deployment: Deployment, platform: str) -> None:
    """In production's settings, on PostgreSQL and Redis, a user signs in and sees the home screen,
    over TLS and HTTP/2."""
    async with deployment.edge.client() as client:
        phone = Phone(client, deployment, platform)
        signed_in = await phone.sign_in(DEMO_HANDLE, DEMO_PASSWORD)
        phone.headers["authorization"] = f"Bearer {signed_in['data']['signIn']['accessToken']}"
        home = await phone.ask("Home")
    assert "errors" not in home
    assert home["data"]["home"]["viewer"]["displayName"] == "Demo Reader"


def test_metrics_have_their_port(deployment: Deployment) -> None:
    """Metrics are where the collector looks, and neither at the port of apps nor behind the
    proxy."""
    for platform in PLATFORMS:
        apart = deployment.ports[f"bff-{platform}", 9100]
        assert "facet_requests_total" in httpx2.get(f"http://127.0.0.1:{apart}/metrics").text
        assert httpx2.get(f"{deployment.child(f'bff-{platform}').url}/metrics").status_code == 404


def test_services_have_their_own_database(deployment: Deployment) -> None:
    """A service's role cannot connect to another's database."""
    for name in SERVICES:
        for other in SERVICES:
            allowed = f"SELECT has_database_privilege('{name}', '{other}', 'CONNECT')"
            assert _told(deployment, allowed) == ("t" if name == other else "f")


def _told(deployment: Deployment, statement: str, database: str = "postgres") -> str:
    """The only value of a statement."""
    home = str(deployment.postgres._home)
    words = ("psql", "-h", home, "-U", "postgres", "-d", database, "-qXtAc", statement)
    return deployment.postgres._run(*words).stdout.strip()


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_nothing_told_is_kept_elsewhere(
    deployment: Deployment, made: Layout, platform: str
) -> None:
    """S9: what a user tells, gets and signs in with is in the databases alone: no log, span,
    metric, Redis key or file of the registry has it, whatever went wrong on the way."""
    account = READERS[platform]
    handle = _told(deployment, f"SELECT handle FROM accounts WHERE id = '{account}'", "accounts")  # noqa: S608
    mark = uuid.uuid4().hex
    secrets = {
        "password": f"pass-{mark}",
        "street": f"{mark} Canary Street",
        "postcode": f"pc{mark[:8]}",
        "device name": f"phone-{mark}",
        "device": f"dev-{mark}",
        "biography": f"born-{mark}",
        "basic": f"basic-{mark}",
        "variable": f"variable-{mark}",
        "text": f"text{mark}",
        "handle": handle,
        "real password": DEMO_PASSWORD,
    }
    async with deployment.edge.client() as client:
        phone = Phone(client, deployment, platform)
        phone.headers = {"x-device-id": secrets["device"], "x-request-id": f"request-{mark}"}
        secrets |= await _live(phone, handle, secrets)
    async with asyncio.timeout(30):  # until spans are sent and usage is written
        while not deployment.collector.holds(f"request-{mark}") or not _counted(made):
            await asyncio.sleep(0.1)
    everywhere = places(deployment, made.registry)
    # The search finds what is there: the id of these requests.
    assert f"request-{mark}" in deployment.logs()
    assert all(everywhere.values()), [where for where, held in everywhere.items() if not held]
    assert found_in(everywhere, secrets) == []


def _counted(made: Layout) -> bool:
    return any((made.registry / "usage").rglob("*"))


async def _live(phone: Phone, handle: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Every operation, rightly and wrongly; gives what only the answers have."""
    await phone.sign_in(handle, secrets["password"])
    named = dict.fromkeys(("deviceName", "operatingSystem"), secrets["device name"])
    fits = {key: value for key, value in named.items() if key in DEVICES[phone._platform]}
    signed_in = await phone.sign_in(handle, DEMO_PASSWORD, **fits)
    token: str = signed_in["data"]["signIn"]["accessToken"]
    for wrong in (f"Bearer {token[:-6]}AAAAAA", f"Basic {secrets['basic']}"):
        phone.headers["authorization"] = wrong
        await phone.ask("Home")
    phone.headers["authorization"] = f"Bearer {token}"
    for name in ("Home", "Profile", "Inbox"):
        answer = await phone.ask(name)
        assert answer["data"], name
        if name == "Profile":
            profile = answer["data"]["profile"]["account"]
    await phone.ask("Content", {"id": "itm_00010"})
    await phone.ask("Content", {"id": secrets["variable"], "comments": "many"})
    await phone.write("SaveItem", itemId=secrets["variable"])
    await phone.write("SaveItem", itemId="itm_00012")
    await phone.write("UnsaveItem", itemId="itm_00012")
    await phone.write("MarkRead", ids=[secrets["variable"]])
    await phone.write("EditProfile", bio=secrets["biography"])
    await phone.write("EditProfile", bio=secrets["biography"], expectedRevision=1)
    place = {"label": "Home", "line1": secrets["street"], "city": "Oslo", "country": "NO"}
    await phone.write("AddAddress", postcode=secrets["postcode"], **place)
    await phone.write("AddAddress", postcode=secrets["postcode"], **{**place, "country": "Narnia"})
    await phone.send({"query": f'{{ a(b: "{secrets["text"]}") }}'})
    await phone.send(f'{{"query": "{secrets["text"]}'.encode(), status=400)
    await phone.ask("Profile")
    await phone.write("SignOut")
    await phone.ask("Home")
    return {
        "access token": token,
        "signature": token.rpartition(".")[2],
        "e-mail": profile["email"],
    }


def test_stops_are_clean(deployment: Deployment) -> None:
    """SIGTERM ends every process with exit code 0 before compose would kill it, and its spans reach
    the collector."""
    stopping = [one for one in deploy.composed() if one.serves]
    begun = time.monotonic()
    for process in stopping:
        deployment.child(process.name).process.send_signal(signal.SIGTERM)
    for process in stopping:
        grace = float(str(process.raw["stop_grace_period"]).removesuffix("s"))
        left = begun + grace - time.monotonic()
        assert deployment.child(process.name).process.wait(left) == 0, process
    for name in (*(f"bff-{platform}" for platform in PLATFORMS), *SERVICES):
        assert deployment.collector.holds(name), name
