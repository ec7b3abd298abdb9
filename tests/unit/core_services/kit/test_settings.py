"""Settings of the services: where they come from and how exactly a wrong one is named."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from core_services.__main__ import main
from core_services.accounts.settings import AccountsSettings
from core_services.kit.settings import SettingsError, load_settings
from core_services.kit.tokens import new_signing_key, read_public_keys, read_signing_key


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNTS__DATABASE_URL", "ACCOUNTS__CALLERS_FILE", "BFF_ENV"):
        monkeypatch.delenv(name, raising=False)


def refused() -> str:
    """Load the settings, which must fail, and return the message."""
    with pytest.raises(SettingsError) as failure:
        load_settings(AccountsSettings)
    return str(failure.value)


def test_defaults_are_for_development() -> None:
    """Without any variable the service runs on an SQLite file in development."""
    settings = load_settings(AccountsSettings)
    assert settings.database_url == "sqlite+aiosqlite:///./.data/accounts.db"
    assert not settings.is_production()


def test_environment_overrides_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables carry the service's prefix; BFF_ENV is shared by all."""
    monkeypatch.setenv("ACCOUNTS__DATABASE_POOL_SIZE", "3")
    monkeypatch.setenv("BFF_ENV", "production")
    settings = load_settings(AccountsSettings)
    assert settings.database_pool_size == 3
    assert settings.is_production()


def test_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is named together with the known ones."""
    monkeypatch.setenv("ACCOUNTS__DATABASE_ULR", "x")
    message = refused()
    assert "ACCOUNTS__DATABASE_ULR: unknown setting" in message
    assert "ACCOUNTS__DATABASE_URL" in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ACCOUNTS__DATABASE_POOL_SIZE", "0"),
        ("ACCOUNTS__CALL_GRACE_S", "soon"),
        ("ACCOUNTS__LOG_LEVEL", "loud"),
        ("BFF_ENV", "staging"),
    ],
)
def test_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A wrong value is shown with its variable and a way out."""
    monkeypatch.setenv(variable, value)
    message = refused()
    assert f"{variable}={value}: " in message
    assert "correct the variable" in message


def test_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong database URL is named without its value: it may hold a password."""
    monkeypatch.setenv("ACCOUNTS__DATABASE_URL", "mysql://root:hunter2@db/x")
    message = refused()
    assert "ACCOUNTS__DATABASE_URL" in message
    assert "hunter2" not in message
    settings = AccountsSettings(database_url="postgresql+asyncpg://me:hunter2@db/x")
    assert "hunter2" not in repr(settings)


def test_all_errors_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wrong variable is in one message."""
    monkeypatch.setenv("ACCOUNTS__TOKEN_LIFE_S", "1")
    monkeypatch.setenv("ACCOUNTS__NOTHING", "1")
    assert len(refused().splitlines()) == 2


def test_production_needs_its_files(tmp_path: Path) -> None:
    """Production refuses to serve without callers and signing key; development does not."""
    AccountsSettings().check_files()
    with pytest.raises(SettingsError) as failure:
        AccountsSettings(environment="production").check_files()
    assert "ACCOUNTS__CALLERS_FILE: not set" in str(failure.value)
    assert "ACCOUNTS__SIGNING_KEY_FILE: not set" in str(failure.value)


def test_named_file_must_exist(tmp_path: Path) -> None:
    """A file that is set and not there is refused everywhere."""
    with pytest.raises(SettingsError, match="no such file"):
        AccountsSettings(callers_file=tmp_path / "none.json").check_files()


@pytest.mark.parametrize("command", ["seed", "prepare"])
def test_production_refuses_the_seed(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Demonstration data with known passwords never enters a production database."""
    monkeypatch.setenv("BFF_ENV", "production")
    monkeypatch.setenv("ACCOUNTS__DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/a.db")
    result = CliRunner().invoke(main, [command, "accounts"])
    assert result.exit_code == 1
    assert "BFF_ENV=production" in result.output
    assert not (tmp_path / "a.db").exists()


def test_keys_file_must_be_public(tmp_path: Path) -> None:
    """A private key among the callers, or a public one for signing, is refused by name."""
    key = new_signing_key()
    private, public = tmp_path / "private.json", tmp_path / "public.json"
    private.write_text(json.dumps({"keys": [{**key.as_dict(private=True), "kid": "bff-ios"}]}))
    public.write_text(json.dumps(key.as_dict(private=False)))
    with pytest.raises(ValueError, match=r"private\.json: holds a private key"):
        read_public_keys(private)
    with pytest.raises(ValueError, match=r"public\.json: holds a public key"):
        read_signing_key(public)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys":[{}]}', '{"keys":[{"kty":"oct","k":"AA"}]}', "\x00"]
)
def test_unreadable_keys_are_refused(tmp_path: Path, content: str) -> None:
    """A callers file that is not a JWK set of P-256 keys is a ValueError naming the file."""
    path = tmp_path / "callers.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"callers\.json"):
        read_public_keys(path)
