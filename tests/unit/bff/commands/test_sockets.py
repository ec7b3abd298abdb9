"""bff/commands/sockets.py: which port answers whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from bff.commands.sockets import open_sockets
from bff.config import EdgeConfig, PlatformConfig
from bff.errors import ConfigError
from tests.harness.databases import free_port
from tests.unit.bff.edge.fakes import settings

IOS = PlatformConfig(schema_object="a:b", releases=Path("/nowhere"), port_offset=1)


@pytest.mark.parametrize(
    ("environment", "operator", "apart", "operations"),
    [
        ("development", "unset", False, True),
        ("production", "unset", False, False),
        ("production", "own", True, False),
        ("development", "own", True, False),
        ("production", "same", False, True),
    ],
)
def test_operators_have_their_port(
    environment: str, operator: str, apart: bool, operations: bool
) -> None:
    """In production what only operators should know is on a port of its own or nowhere, unless
    somebody names the gateway's; in development it is where everything else is."""
    port = free_port()
    wanted = {"unset": None, "own": free_port(), "same": port}[operator]
    found = settings(environment=environment).model_copy(
        update={"edge": EdgeConfig(operator_port=wanted), "platforms": {"ios": IOS}}
    )
    sockets = open_sockets(found, "ios", None, port)
    try:
        assert (sockets.operator is not None, sockets.operations) == (apart, operations)
        assert sockets.public.getsockname() == ("127.0.0.1", port)
    finally:
        sockets.close()


def test_unknown_platforms_are_refused() -> None:
    """A platform that no setting names is said before anything is bound or loaded."""
    with pytest.raises(ConfigError, match=r"platforms\.tv is not set"):
        open_sockets(settings(), "tv", None, 0)
