"""`bff registry`: keys for who publishes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bff.errors import ConfigError
from persisted_queries.problem import RegistryError
from persisted_queries.signing import make_signer, read_public_keys, write_signer


@click.group()
def registry() -> None:
    """Set up a registry of releases."""


@registry.command()
@click.argument("kid")
@click.option("--private", required=True, type=click.Path(path_type=Path), help="For CI's secrets.")
@click.option("--public", required=True, type=click.Path(path_type=Path), help="For the gateways.")
def keygen(kid: str, private: Path, public: Path) -> None:
    """Make a key pair named KID. Its public half is added to the set in --public: to replace a key,
    add the new one, deploy the set, publish with the new one. The old half stays in the set, with
    "until" and the number of the last entry it signed."""
    signer = make_signer(kid)
    try:
        known = read_public_keys(public) if public.exists() else {}
        if kid in known:
            raise ConfigError(f"{public} has a key {kid!r} already; give the new one a new name")
        write_signer(signer, private)
        halves = [key.as_dict(private=False) for key in known.values()]
        public.write_text(json.dumps({"keys": [*halves, signer.public()]}, indent=2) + "\n")
    except FileExistsError:
        raise ConfigError(f"{private} exists; keys are never replaced, name another file") from None
    except (RegistryError, OSError) as error:
        raise ConfigError(str(error)) from error
    click.echo(f"wrote {private} (keep it secret) and {public}")
