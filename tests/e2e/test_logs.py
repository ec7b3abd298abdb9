"""Logs are JSON with a request id, and name nobody: no token, password, handle, e-mail address."""

from __future__ import annotations

import json
import uuid

import httpx2

from bff.commands.development import DEMO_PASSWORD
from tests.harness.stack import Stack, registered


async def test_logs_name_nobody(stack: Stack) -> None:
    """After sign-in, profile, a bad token and a bad body, no process has logged anything personal,
    and the request id joins the lines of all processes."""
    settings = stack.settings("ios")
    handle = stack.handle("acc_01020")
    request_id = uuid.uuid4().hex
    async with httpx2.AsyncClient(base_url=stack.url("ios"), timeout=30) as client:
        values = {
            "idempotencyKey": uuid.uuid4().hex,
            "handle": handle,
            "password": DEMO_PASSWORD,
            "deviceModel": "Test",
            "deviceName": "A secret name",
        }
        signed_in = await client.post(
            "/graphql",
            json={
                "documentId": registered(settings, "ios", "SignIn").id,
                "variables": {"input": values},
            },
        )
        token = signed_in.json()["data"]["signIn"]["accessToken"]
        profile = await client.post(
            "/graphql",
            json={"documentId": registered(settings, "ios", "Profile").id},
            headers={"authorization": f"Bearer {token}", "x-request-id": request_id},
        )
        await client.post("/graphql", json={"query": f'{{ a(b: "{handle}") }}'})
        await client.post("/graphql", content=f'{{"query": "{handle}'.encode())
        await client.post(
            "/graphql",
            json={"query": "{ home { viewer { id } } }"},
            headers={"authorization": f"Bearer {token[:-4]}"},
        )
    account = profile.json()["data"]["profile"]["account"]
    lines = [
        line
        for path in (stack.where.data / "logs").glob("*.log")
        # Not splitlines: an unknown document's id is logged as it was sent, U+0085 included.
        for line in path.read_text().split("\n")
        if line
    ]
    entries = [json.loads(line) for line in lines]
    services = {entry["service"] for entry in entries if entry.get("request_id") == request_id}
    assert services == {"bff-ios", "accounts", "content", "notifications"}
    text = "\n".join(lines)
    for secret in (token, DEMO_PASSWORD, handle, account["email"], "A secret name"):
        assert secret not in text
