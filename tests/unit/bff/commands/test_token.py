"""`bff token`: signs a seeded account in, or says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from joserfc import jwt
from joserfc.jwk import ECKey

from bff import config as settings_module
from bff.commands.development import Layout, layout
from bff.commands.token import token
from bff.errors import ConfigError
from tests.harness.databases import free_port
from tests.harness.ports import free_block
from tests.unit.bff.commands.servers import Answering, serving


@pytest.fixture
def where(tmp_path: Path) -> Layout:
    made = layout(settings_module.load(), free_block(), tmp_path)
    made.make_folders()
    made.make_keys()
    return made


def run(where: Layout, *arguments: str) -> Result:
    given = ["--port-base", str(where.port_base), "--data", str(where.data), *arguments]
    return CliRunner().invoke(token, given, catch_exceptions=False)


def test_token_is_printed(where: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token alone is printed, for `$(bff token)`; accounts was asked as a gateway asks,
    directly, whatever proxy the environment names."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    answering = Answering(body=json.dumps({"access_token": "a.b.c"}).encode())
    with serving(where.service_port("accounts"), answering):
        assert run(where, "--user", "rosa").output == "a.b.c\n"
    ((path, headers, body),) = answering.asked
    assert (path, body["handle"]) == ("/v1/sign-in", "rosa")
    assert headers["idempotency-key"]
    key = ECKey.import_key(json.loads(where.key_file("ios").read_bytes()))
    credential = headers["authorization"].removeprefix("Bearer ")
    assert jwt.decode(credential, key).claims["aud"] == "accounts"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"code":"INVALID_CREDENTIALS","detail":"Check handle."}', ": Check handle; seeded"),
        (b"<html>proxy</html>", "<html>proxy</html>"),
        (b"[]", "[]"),
        (b"", "401"),
    ],
)
def test_refusal_is_explained(where: Layout, body: bytes, said: str) -> None:
    """A refused sign-in says the service's reason, JSON or not, and who always exists."""
    with (
        serving(where.service_port("accounts"), Answering(401, body)),
        pytest.raises(ConfigError, match="'demo' always exists") as refused,
    ):
        run(where, "--user", "nobody")
    assert said in str(refused.value)
    assert "nobody" in str(refused.value)


def test_nobody_listening_is_explained(where: Layout) -> None:
    """Without a running set-up the way out is `bff up`."""
    with pytest.raises(ConfigError, match="bff up"):
        run(where)


def test_missing_keys_are_explained(tmp_path: Path) -> None:
    """Data of a set-up that never ran has no key to ask with."""
    empty = layout(settings_module.load(), free_block(), tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="key_file"):
        run(empty)


def test_production_is_refused(where: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """No demonstration password is tried in production."""
    monkeypatch.setenv("BFF_ENV", "production")
    with pytest.raises(ConfigError, match="BFF_ENV=production"):
        run(where)
