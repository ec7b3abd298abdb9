"""The development set-up: ports, environments, keys made once and kept to oneself."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from bff import config as settings_module
from bff.commands.development import SERVICES, Layout, layout
from bff.errors import ConfigError
from bff.upstreams.credentials import read_signer


@pytest.fixture
def where(tmp_path: Path) -> Layout:
    made = layout(settings_module.load(), 20_000, tmp_path)
    made.make_folders()
    return made


def keys(where: Layout) -> list[Path]:
    files = [where.key_file(name) for name in where.settings.platforms]
    return [*files, where.signing_key_file]


def test_ports_follow_the_base(where: Layout) -> None:
    """Gateways stand at base + 1 to 3, services at base + 101 to 103."""
    assert [where.bff_port(name) for name in ("ios", "android", "web")] == [20001, 20002, 20003]
    assert [where.service_port(name) for name in SERVICES] == [20101, 20102, 20103]


def test_private_keys_are_private(where: Layout) -> None:
    """Every private key is made for its owner's eyes alone, and nothing else is left behind."""
    where.make_keys()
    for path in keys(where):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ECKey.import_key(json.loads(path.read_bytes())).is_private
    names = {path.name for path in (where.data / "keys").iterdir()}
    assert names == {path.name for path in keys(where)} | {"callers.jwks"}


def test_keys_are_kept(where: Layout) -> None:
    """A second start uses the keys of the first: tokens outlive a restart."""
    where.make_keys()
    before = [path.read_bytes() for path in keys(where)]
    where.make_keys()
    assert [path.read_bytes() for path in keys(where)] == before


def test_services_know_every_gateway(where: Layout) -> None:
    """The callers file holds the public half of each gateway's key, and no private one."""
    where.make_keys()
    callers = json.loads(where.callers_file.read_text())["keys"]
    assert [key["kid"] for key in callers] == ["bff-ios", "bff-android", "bff-web"]
    assert all("d" not in key for key in callers)
    assert read_signer(where.key_file("web")).name == "bff-web"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"kty":"EC"}'])
def test_broken_key_says_what_to_do(where: Layout, content: str) -> None:
    """A key file cut short by a crash is named, with the way out; it is not overwritten."""
    path = where.key_file("ios")
    path.write_text(content)
    with pytest.raises(ConfigError, match="delete it") as refused:
        where.make_keys()
    assert str(path) in str(refused.value)
    assert path.read_text() == content


def test_crash_leaves_no_broken_key(where: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is there whole or not at all: a start that was killed while writing does not stop
    the next one."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", killed)
        with pytest.raises(KeyboardInterrupt):
            where.make_keys()
    assert not where.key_file("ios").exists()
    where.make_keys()
    assert read_signer(where.key_file("ios")).name == "bff-ios"


@pytest.mark.parametrize("of", ["service", "gateway"])
def test_operators_own_settings_stay(
    where: Layout, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says already is not overwritten; the rest is filled in."""
    make: Callable[[], dict[str, str]]
    if of == "service":
        mine, other = "CONTENT__DATABASE_URL", "CONTENT__CALLERS_FILE"
        make = lambda: where.service_environment("content")  # noqa: E731
    else:
        mine, other = "BFF__TELEMETRY__SAMPLE_RATIO", "BFF__UPSTREAMS__KEY_FILE"
        make = lambda: where.bff_environment("ios")  # noqa: E731
    filled = make()[mine]
    monkeypatch.setenv(mine, "my own")
    assert filled != "my own"
    assert make()[mine] == "my own"
    assert make()[other].startswith(str(where.data))


def test_gateway_environment_is_right(where: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `bff up` tells a gateway are settings that exist."""
    where.make_keys()
    for name, value in where.bff_environment("ios").items():
        monkeypatch.setenv(name, value)
    settings = settings_module.load()
    assert settings.upstreams.key_file == where.key_file("ios")
    assert settings.upstreams.services["content"].url == "http://127.0.0.1:20102"
    assert settings.telemetry.traces_file == where.traces_file("bff-ios")


def test_production_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Development's keys and passwords are never made for production."""
    monkeypatch.setenv("BFF_ENV", "production")
    with pytest.raises(ConfigError, match="bff serve PLATFORM"):
        layout(settings_module.load(), 8000, tmp_path)


def test_no_platform_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to start is said, not stumbled over."""
    settings = settings_module.load().model_copy(update={"platforms": {}})
    with pytest.raises(ConfigError, match="platforms names none"):
        layout(settings, 8000, tmp_path)
