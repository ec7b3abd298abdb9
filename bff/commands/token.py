"""`bff token`: an access token of a seeded account, for curl and GraphiQL; development only."""

from __future__ import annotations

import uuid
from pathlib import Path

import click
import httpx2

from bff import config as settings_module
from bff.commands.development import (
    DEFAULT_DATA,
    DEFAULT_PORT_BASE,
    DEMO_HANDLE,
    DEMO_PASSWORD,
    Layout,
    layout,
)
from bff.errors import ConfigError
from bff.upstreams.credentials import read_signer


@click.command()
@click.option("--user", "handle", default=DEMO_HANDLE, show_default=True, metavar="HANDLE")
@click.option(
    "--port-base", default=DEFAULT_PORT_BASE, show_default=True, type=click.IntRange(1024, 65000)
)
@click.option("--data", default=DEFAULT_DATA, show_default=True, type=click.Path(path_type=Path))
def token(handle: str, port_base: int, data: Path) -> None:
    """Print an access token of a seeded account; `bff up` must be running."""
    settings = settings_module.load()
    click.echo(access_token(layout(settings, port_base, data), handle))


def access_token(where: Layout, handle: str = DEMO_HANDLE) -> str:
    """Sign a seeded account in. Raises ConfigError saying what is missing."""
    platform = next(iter(where.settings.platforms))
    signer = read_signer(where.key_file(platform))
    device = {"platform": platform, "model": "command line", "name": "bff token"}
    try:
        answer = httpx2.post(
            f"{where.service_url('accounts')}/v1/sign-in",
            json={"handle": handle, "password": DEMO_PASSWORD, "device": device},
            headers={
                "authorization": signer.credential("accounts"),
                "idempotency-key": uuid.uuid4().hex,
            },
            timeout=10,
            trust_env=False,
        )
    except httpx2.HTTPError as error:
        raise ConfigError(
            f"accounts does not answer at {where.service_url('accounts')} ({error}); "
            "start everything with `bff up`, or name its --port-base"
        ) from error
    if answer.status_code != 200:
        raise ConfigError(
            f"accounts refused to sign '{handle}' in ({answer.status_code}): "
            f"{_reason(answer).rstrip('. ')}; seeded handles have the demonstration "
            f"password, '{DEMO_HANDLE}' always exists"
        )
    return str(answer.json()["access_token"])


def _reason(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
