"""The home screen: one round trip by document id, whole, on every platform."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bff.documents.releases import releases_of
from tests.harness.stack import PLATFORMS, Stack, ask, registered


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_comes_whole(stack: Stack, token: str, platform: str) -> None:
    """A registered id alone brings viewer, feed with authors and stats, and the badge."""
    home = registered(stack.settings(platform), platform, "Home")
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        body = await ask(client, home.id, token=token)
    assert "errors" not in body
    screen = body["data"]["home"]
    assert screen["viewer"]["displayName"] == "Demo Reader"
    assert screen["inbox"]["unread"] > 0
    entries = _entries(screen["feed"])
    assert len(entries) >= 10
    assert {entry["item"]["__typename"] for entry in entries} >= {"Article", "Video"}
    for entry in entries:
        assert entry["item"]["author"]["displayName"]
        assert entry["item"]["stats"]["likes"] >= 0


def _entries(feed: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a feed page, whatever the platform's paging style calls them."""
    if "edges" in feed:
        return [{"item": edge["node"]} for edge in feed["edges"]]
    found = feed.get("entries", feed.get("items"))
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_release_is_answered(stack: Stack, token: str, platform: str) -> None:
    """Each release's home comes whole by the id of its own manifest, whatever the format: the
    web's older one is a Relay app's, whose ids are MD5."""
    releases = releases_of(platform, stack.settings(platform).platforms[platform])
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        for release in releases:
            ids = {one.name: one.id for one in release.manifest.operations}
            body = await ask(client, ids["Home"], token=token)
            assert "errors" not in body
            assert _entries(body["data"]["home"]["feed"])


async def test_home_of_nobody_is_coded(stack: Stack) -> None:
    """Without a token every section of a viewer is null and says UNAUTHENTICATED with its path."""
    home = registered(stack.settings("ios"), "ios", "Home")
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        body = await ask(client, home.id)
    home_screen = body["data"]["home"]
    assert [home_screen[name] for name in ("viewer", "feed", "inbox")] == [None, None, None]
    assert {tuple(e["path"]): e["extensions"]["code"] for e in body["errors"]} == {
        ("home", "viewer"): "UNAUTHENTICATED",
        ("home", "feed"): "UNAUTHENTICATED",
        ("home", "inbox"): "UNAUTHENTICATED",
    }
