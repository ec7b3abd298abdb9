"""The first answer a newcomer sees: every platform's home screen by document id, as a table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from bff.commands.development import DEMO_HANDLE, Layout
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import Release

HOME = "Home"


@dataclass(frozen=True)
class FirstScreen:
    """One answered home screen; `size` is of the compressed body in bytes."""

    platform: str
    release: Release
    operation: ManifestOperation
    url: str
    status: int
    size: int
    upstream_calls: int
    milliseconds: float
    problem: str | None


def ask_home_screens(where: Layout, token: str) -> list[FirstScreen]:
    """Ask every gateway for its newest release's home screen; the second answer is shown, the
    first one opened the connections."""
    screens = []
    for platform in where.settings.platforms:
        _ask(where, platform, token)
        screens.append(_ask(where, platform, token))
    return screens


def show(console: Console, where: Layout, screens: list[FirstScreen], token: str) -> bool:
    """Print table and curl; True when every screen came whole."""
    table = Table(title=f"home, by document id, as {DEMO_HANDLE}", title_justify="left")
    for name in ("platform", "release", "status", "bytes", "calls", "ms", "endpoint"):
        numeric = name in ("bytes", "calls", "ms")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for screen in screens:
        table.add_row(
            screen.platform,
            screen.release.name,
            str(screen.status) if screen.problem is None else f"{screen.status} [red]✗[/red]",
            str(screen.size),
            str(screen.upstream_calls),
            f"{screen.milliseconds:.1f}",
            screen.url,
        )
    console.print(table)
    console.print("[dim]bytes: of the answer as sent (br); calls: to core services[/dim]")
    for screen in screens:
        if screen.problem is not None:
            console.print(f"[red]{screen.platform}: {screen.problem}[/red]")
    _show_curl(console, screens[0])
    return all(screen.problem is None for screen in screens)


def _show_curl(console: Console, screen: FirstScreen) -> None:
    console.print("Try it (bff token makes a fresh token; GraphiQL is at the same address):")
    console.print(
        f"""  curl -s {screen.url} -H 'content-type: application/json' \\
    -H "authorization: Bearer $(.venv/bin/bff token)" \\
    -d '{{"documentId":"{screen.operation.id}"}}'""",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _newest_home(where: Layout, platform: str) -> tuple[Release, ManifestOperation]:
    for release in reversed(releases_of(platform, where.settings.platforms[platform])):
        for operation in release.manifest.operations:
            if operation.name == HOME:
                return release, operation
    raise ConfigError(f"no release of {platform} has an operation named {HOME}")


def _ask(where: Layout, platform: str, token: str) -> FirstScreen:
    release, operation = _newest_home(where, platform)
    url = f"http://127.0.0.1:{where.bff_port(platform)}/graphql"
    started = time.perf_counter()
    with httpx2.Client(timeout=10) as client:
        request = client.build_request(
            "POST",
            url,
            json={"documentId": operation.id},
            headers={
                "authorization": f"Bearer {token}",
                "accept-encoding": "br",
                "apollographql-client-name": f"facet-demo-{platform}",
                "apollographql-client-version": release.name,
            },
        )
        response = client.send(request, stream=True)
        raw = b"".join(response.iter_raw())
        response = _reread(response, raw)
    took = (time.perf_counter() - started) * 1000
    body = _json(response)
    upstream = body.get("extensions", {}).get("upstream", {})
    return FirstScreen(
        platform,
        release,
        operation,
        url,
        response.status_code,
        len(raw),
        upstream.get("calls", 0),
        took,
        _problem(response, body),
    )


def _reread(response: httpx2.Response, raw: bytes) -> httpx2.Response:
    """The same answer with its body decoded; the raw one is what travelled."""
    return httpx2.Response(response.status_code, headers=response.headers, content=raw)


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _problem(response: httpx2.Response, body: dict[str, Any]) -> str | None:
    if response.status_code != 200:
        return f"status {response.status_code}: {response.text[:200]}"
    if body.get("errors"):
        return f"errors: {body['errors'][:2]}"
    if not (body.get("data") or {}).get("home"):
        return "no home in the answer"
    return None
