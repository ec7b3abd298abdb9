"""The first answer a newcomer sees: every platform's home screen by document id, as a table."""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bff.commands.development import DEFAULT_DATA, DEFAULT_PORT_BASE, DEMO_HANDLE, Layout
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import Release

HOME = "Home"
LEFT_OUT = "document_left_out"


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
    title = f"home, by document id, as {DEMO_HANDLE}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("platform", "port", "release", "status", "bytes", "calls", "ms"):
        numeric = name in ("bytes", "calls", "ms")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for screen in screens:
        table.add_row(
            screen.platform,
            f":{where.bff_port(screen.platform)}",
            screen.release.name,
            str(screen.status) if screen.problem is None else f"{screen.status} [red]✗[/red]",
            str(screen.size),
            str(screen.upstream_calls),
            f"{screen.milliseconds:.1f}",
        )
    console.print(table)
    console.print("[dim]bytes: of the answer as sent (br); calls: to core services[/dim]")
    for screen in screens:
        for problem in _problems(where, screen):
            console.print(f"[red]{screen.platform}: {escape(problem)}[/red]", soft_wrap=True)
    _show_curl(console, where, screens[0])
    return all(screen.problem is None for screen in screens)


def _show_curl(console: Console, where: Layout, screen: FirstScreen) -> None:
    given = ""  # the defaults of `bff token` would ask another set-up than this
    if where.port_base != DEFAULT_PORT_BASE:
        given += f" --port-base {where.port_base}"
    if where.data != DEFAULT_DATA.resolve():
        given += f" --data {shlex.quote(str(where.data))}"
    console.print("Try it (bff token makes a fresh token; a browser gets GraphiQL there):")
    console.print(
        f"""  curl -s {screen.url} -H 'content-type: application/json' \\
    -H "authorization: Bearer $({_program()} token{given})" \\
    -d '{{"documentId":"{screen.operation.id}"}}'""",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _program() -> str:
    """How the `bff` of this environment is called from here: short in the project's folder."""
    program = Path(sys.executable).with_name("bff")
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.parents[2] == here else program))


def _problems(where: Layout, screen: FirstScreen) -> list[str]:
    found = [] if screen.problem is None else [screen.problem]
    log = where.log_file(f"bff-{screen.platform}")
    count = left_out(log)
    if count:
        found.append(
            f"{count} registered document{'s do' if count > 1 else ' does'} not fit the schema and "
            f"will not be answered; the lines {LEFT_OUT} in {log} name the cause"
        )
    elif screen.problem is not None:
        found.append(f"its log is {log}")
    return found


def left_out(log: Path) -> int:
    """How many documents a gateway left out at its start, by its log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0  # no log, no news
    return sum(f'"{LEFT_OUT}"' in line and _event(line) == LEFT_OUT for line in lines)


def _event(line: str) -> Any:
    try:
        return json.loads(line).get("event")
    except (ValueError, AttributeError):
        return None


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
        return "; ".join(_told(error) for error in body["errors"][:2])
    if not (body.get("data") or {}).get("home"):
        return "no home in the answer"
    return None


def _told(error: Any) -> str:
    """Code, path and message of a GraphQL error, for people."""
    if not isinstance(error, dict):
        return json.dumps(error)
    code = (error.get("extensions") or {}).get("code")
    path = ".".join(str(part) for part in error.get("path") or ())
    return ": ".join(part for part in (code, path, error.get("message")) if part)
