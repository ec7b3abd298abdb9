"""A dead core service costs its own fields, coded and with paths; the rest of the screen stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.commands.development import SERVICES
from bff.commands.launch import start_service
from tests.harness.stack import PLATFORMS, Stack, ask, registered, running_stack

OK = dict.fromkeys(("home.viewer", "home.feed", "home.inbox"), "ok")


@pytest.fixture(scope="module")
def own_stack(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose services may be killed."""
    with running_stack(tmp_path_factory.mktemp("dead"), seeded) as running:
        yield running


def _kill(stack: Stack, service: str) -> None:
    child = next(c for c in stack.children.children if c.name == service)
    stack.children.children.remove(child)
    child.process.kill()
    child.process.wait()


async def _home(stack: Stack, platform: str, token: str) -> dict[str, Any]:
    home = registered(stack.settings(platform), platform, "Home")
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        return await ask(client, home.id, token=token)


def _paths(body: dict[str, Any]) -> set[str]:
    """Field names at which errors happened, with list indices left out."""
    return {
        ".".join(str(part) for part in error["path"] if isinstance(part, str))
        for error in body["errors"]
    }


@pytest.mark.parametrize("service", SERVICES)
async def test_rest_of_home_stands(own_stack: Stack, service: str) -> None:
    """With one service killed, home has every part the others fill, on every platform."""
    token = own_stack.token()
    whole = {platform: await _home(own_stack, platform, token) for platform in PLATFORMS}
    assert all("errors" not in body for body in whole.values())
    _kill(own_stack, service)
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(own_stack.where.service_url(service) + "/healthz", timeout=5)
    try:
        for platform in PLATFORMS:
            _check(service, whole[platform], await _home(own_stack, platform, token))
    finally:
        child = start_service(own_stack.where, own_stack.children, service)
        own_stack.children.wait_ready(child)
    again = await _home(own_stack, "ios", token)
    assert again["data"] == whole["ios"]["data"]


def _check(service: str, whole: dict[str, Any], body: dict[str, Any]) -> None:
    before, home = whole["data"]["home"], body["data"]["home"]
    assert {error["extensions"]["code"] for error in body["errors"]} == {"UPSTREAM_UNAVAILABLE"}
    if service == "content":
        assert home == {**before, "feed": None}
        assert _paths(body) == {"home.feed"}
        assert _statuses(body) == {**OK, "home.feed": "omitted"}
    elif service == "notifications":
        assert home == {**before, "inbox": None}
        assert _paths(body) == {"home.inbox"}
        assert _statuses(body) == {**OK, "home.inbox": "omitted"}
    else:
        assert home["viewer"] is None
        assert home["inbox"]["unread"] == before["inbox"]["unread"]
        assert _without_people(home["feed"]) == _without_people(before["feed"])
        assert "home.viewer" in _paths(body)
        assert _statuses(body) == {**OK, "home.viewer": "omitted"}


def _statuses(body: dict[str, Any]) -> dict[str, str]:
    return {path: one["status"] for path, one in body["extensions"]["sections"].items()}


def _without_people(value: Any) -> Any:
    """The same feed with every author left out."""
    if isinstance(value, dict):
        return {k: _without_people(v) for k, v in value.items() if k != "author"}
    if isinstance(value, list):
        return [_without_people(one) for one in value]
    return value
