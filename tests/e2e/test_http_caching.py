"""What HTTP caches may keep: private answers revalidate, answers proven public are shared."""

from __future__ import annotations

import json

import brotli
import httpx2
import isal.igzip
import pytest
import zstandard

from tests.harness.stack import PLATFORMS, Stack, registered

DECODERS = {
    "br": brotli.decompress,
    "gzip": isal.igzip.decompress,
    "zstd": lambda raw: zstandard.ZstdDecompressor().decompressobj().decompress(raw),
}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_revalidates(stack: Stack, token: str, platform: str) -> None:
    """A GET of home is private, carries a tag, and is 304 without a body while nothing changed."""
    home = registered(stack.settings(platform), platform, "Home")
    headers = {"authorization": f"Bearer {token}", "apollo-require-preflight": "true"}
    async with httpx2.AsyncClient(base_url=stack.url(platform), timeout=30) as client:
        first = await client.get(f"/documents/{home.id}/Home", headers=headers)
        tag = {"if-none-match": first.headers["etag"]}
        again = await client.get(f"/documents/{home.id}/Home", headers={**headers, **tag})
    assert first.status_code == 200
    assert first.headers["cache-control"].startswith("private")
    assert {"accept", "accept-encoding", "authorization"} <= {
        name.strip().lower() for name in first.headers["vary"].split(",")
    }
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_public_document_is_shared(stack: Stack, token: str) -> None:
    """A document whose every call is shared is public, also when a viewer asks for it."""
    operation = registered(stack.settings("web"), "web", "PublicContent")
    url = f"/documents/{operation.id}/PublicContent"
    query = {"variables": '{"id":"itm_00010"}'}
    async with httpx2.AsyncClient(base_url=stack.url("web"), timeout=30) as client:
        nobody = await client.get(url, params=query)
        someone = await client.get(url, params=query, headers={"authorization": f"Bearer {token}"})
    assert nobody.headers["cache-control"].startswith("public, max-age=")
    assert nobody.json()["data"] == someone.json()["data"]
    assert nobody.headers["etag"] == someone.headers["etag"]
    assert "authorization" not in nobody.headers["vary"].lower()


async def test_viewer_field_makes_it_private(stack: Stack, token: str) -> None:
    """The same screen with one field of the viewer's is private, for everybody."""
    operation = registered(stack.settings("web"), "web", "Content")
    query = {"variables": '{"id":"itm_00010"}'}
    async with httpx2.AsyncClient(base_url=stack.url("web"), timeout=30) as client:
        answer = await client.get(
            f"/documents/{operation.id}/Content",
            params=query,
            headers={"authorization": f"Bearer {token}"},
        )
    assert answer.json()["data"]["content"]["item"]
    assert answer.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("coding", DECODERS)
async def test_answers_are_compressed(stack: Stack, token: str, coding: str) -> None:
    """Each coding a client accepts is used, decodes to the same data, and is much smaller."""
    home = registered(stack.settings("ios"), "ios", "Home")
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        plain = await _raw(client, home.id, {**headers, "accept-encoding": "identity"})
        packed = await _raw(client, home.id, {**headers, "accept-encoding": coding})
    assert packed.headers["content-encoding"] == coding
    assert "content-encoding" not in plain.headers
    unpacked = json.loads(DECODERS[coding](packed.extensions["raw"]))
    assert unpacked["data"] == json.loads(plain.extensions["raw"])["data"]
    assert len(packed.extensions["raw"]) < len(plain.extensions["raw"]) / 2


async def _raw(
    client: httpx2.AsyncClient, document_id: str, headers: dict[str, str]
) -> httpx2.Response:
    request = client.build_request(
        "POST", "/graphql", json={"documentId": document_id}, headers=headers
    )
    answer = await client.send(request, stream=True)
    answer.extensions["raw"] = b"".join([chunk async for chunk in answer.aiter_raw()])
    await answer.aclose()
    return answer
