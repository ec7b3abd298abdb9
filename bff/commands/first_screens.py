"""The first answer a newcomer sees: every platform's home screen by document id, as a table."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import Any

import httpx2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bff.commands.development import DEFAULT_DATA, DEFAULT_PORT_BASE, DEMO_HANDLE, Layout
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
    first one opened the connections. Raises ConfigError when one does not answer."""
    screens = []
    # Not through the proxy of the developer's environment: it cannot reach us.
    with httpx2.Client(timeout=10, trust_env=False) as client:
        for platform in where.settings.platforms:
            _ask(client, where, platform, token)
            screens.append(_ask(client, where, platform, token))
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
            console.print(f"[red]{screen.platform}: {escape(screen.problem)}[/red]")
    _show_curl(console, where, screens[0])
    return all(screen.problem is None for screen in screens)


def _show_curl(console: Console, where: Layout, screen: FirstScreen) -> None:
    given = ""  # the defaults of `bff token` would ask another set-up than this
    if where.port_base != DEFAULT_PORT_BASE:
        given += f" --port-base {where.port_base}"
    if where.data != DEFAULT_DATA.resolve():
        given += f" --data {shlex.quote(str(where.data))}"
    console.print("Try it (bff token makes a fresh token; GraphiQL is at the same address):")
    console.print(
        f"""  curl -s {screen.url} -H 'content-type: application/json' \\
    -H "authorization: Bearer $(.venv/bin/bff token{given})" \\
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


def _ask(client: httpx2.Client, where: Layout, platform: str, token: str) -> FirstScreen:
    release, operation = _newest_home(where, platform)
    url = f"http://127.0.0.1:{where.bff_port(platform)}/graphql"
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
    started = time.perf_counter()
    try:
        response = client.send(request, stream=True)
        raw = b"".join(response.iter_raw())
    except httpx2.HTTPError as error:
        raise ConfigError(
            f"bff-{platform} does not answer at {url} ({error}); its log is "
            f"{where.log_file(f'bff-{platform}')}"
        ) from error
    took = (time.perf_counter() - started) * 1000
    response = _reread(response, raw)
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
