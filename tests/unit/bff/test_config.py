"""Settings: where they come from, what is refused, and how it is said."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel, SecretStr

from bff import config
from bff.commands.config import config as config_command
from bff.config import PROJECT, Room, Settings, load
from bff.errors import ConfigError

SHIPPED = PROJECT / "deploy" / "bff.yaml"
MINIMAL: dict[str, Any] = {
    "platforms": {
        "ios": {"schema_object": "a.b:schema", "releases": "releases", "port_offset": 1},
    },
    "upstreams": {"services": {"accounts": {"url": "http://127.0.0.1:8101"}}},
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine takes part."""
    for name in list(os.environ):
        if name.upper().startswith("BFF"):
            monkeypatch.delenv(name)


class Machine:
    """A settings file and environment variables."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = folder / "bff.yaml"
        self._set = monkeypatch.setenv
        self.file(MINIMAL)

    def file(self, content: Any) -> Path:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        self._path.write_text(text)
        self._set("BFF_CONFIG", str(self._path))
        return self._path

    def env(self, **variables: str) -> None:
        for name, value in variables.items():
            self._set(name, value)

    def load(self) -> Settings:
        return load()

    def refusal(self) -> str:
        with pytest.raises(ConfigError) as refused:
            load()
        return str(refused.value)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def with_room(room: str, **keys: Any) -> dict[str, Any]:
    return {**MINIMAL, room: {**MINIMAL.get(room, {}), **keys}}


# --- where values come from


def test_shipped_file_loads() -> None:
    """The file in deploy/ is right, and is the one read by default."""
    assert config.config_file() == SHIPPED
    assert list(load().platforms) == ["ios", "android", "web"]


def test_environment_beats_the_file(machine: Machine) -> None:
    """A variable wins over the file, key by key; the rest of the room stays the file's."""
    machine.file(with_room("edge", max_body_bytes=1000, max_batch_size=3))
    machine.env(BFF__EDGE__MAX_BODY_BYTES="2000")
    edge = machine.load().edge
    assert (edge.max_body_bytes, edge.max_batch_size) == (2000, 3)
    assert edge.max_json_depth == 64


def test_environment_reaches_into_services(machine: Machine) -> None:
    """A service's address is set by its name."""
    machine.env(BFF__UPSTREAMS__SERVICES__ACCOUNTS__URL="http://accounts.internal:80/base/")
    service = machine.load().upstreams.services["accounts"]
    assert service.url == "http://accounts.internal:80/base"
    assert service.timeout_ms == 1000


def test_empty_variable_is_unset(machine: Machine) -> None:
    """A compose file's `${UNSET:-}` is as if the variable were not there."""
    machine.env(BFF__STORE__REDIS_URL="", BFF__TELEMETRY__TRACES_FILE="", BFF__EDGE__HOST="")
    settings = machine.load()
    assert settings.store.redis_url is None
    assert settings.telemetry.traces_file is None
    assert settings.edge.host == "127.0.0.1"


def test_paths_are_the_projects(machine: Machine) -> None:
    """A relative folder of releases is meant from the project's root; an absolute one stays."""
    machine.env(BFF__PLATFORMS__IOS__RELEASES="/srv/releases")
    assert machine.load().platforms["ios"].releases == Path("/srv/releases")
    assert load().platforms["ios"].port_offset == 1


def test_relative_releases_are_found(machine: Machine) -> None:
    """Wherever the command was started, `releases` is the project's folder."""
    assert machine.load().platforms["ios"].releases == PROJECT / "releases"


# --- development and production


def test_development_is_the_default(machine: Machine) -> None:
    """Without BFF_ENV everything is open."""
    settings = machine.load()
    assert (settings.development, settings.policy) == (True, "open")


def test_production_closes_the_documents(machine: Machine) -> None:
    """In production only registered documents are answered, unless the file says otherwise."""
    machine.env(BFF_ENV="production")
    settings = machine.load()
    assert (settings.development, settings.policy) == (False, "registered")
    machine.file(with_room("documents", policy="ids_only"))
    assert machine.load().policy == "ids_only"


@pytest.mark.parametrize("value", ["prod", "Production", "", "dev"])
def test_misspelt_environment_is_refused(machine: Machine, value: str) -> None:
    """Nobody gets development by a typing error."""
    machine.env(BFF_ENV=value)
    assert f"BFF_ENV = '{value}'" in machine.refusal()


def test_environment_has_one_place(machine: Machine) -> None:
    """A switch to production that is not read must not look as if it were."""
    machine.env(BFF__ENVIRONMENT="production")
    assert machine.refusal() == ("BFF__ENVIRONMENT is not read; set BFF_ENV=development|production")


def test_environment_is_not_in_the_file(machine: Machine) -> None:
    """Nor in the file."""
    path = machine.file({**MINIMAL, "environment": "production"})
    assert machine.refusal() == (f"settings file {path}: environment is not read here; set BFF_ENV")


# --- what is refused


@pytest.mark.parametrize(
    ("variable", "where"),
    [
        ("BFF__EDGE__TYPO", "edge.typo"),
        ("BFF__STORE__REDIS_ULR", "store.redis_ulr"),
        ("BFF__UPSTREAMS__SERVICES__ACCOUNTS__TIMEOUT", "upstreams.services.accounts.timeout"),
        ("BFF__PLATFORMS__IOS__SCHEMA", "platforms.ios.schema"),
        ("bff__edge__typo", "edge.typo"),
    ],
)
def test_unknown_key_in_environment_is_refused(machine: Machine, variable: str, where: str) -> None:
    """A misspelt nested variable is refused, by its path, at any depth and in any case; its value,
    which may be a secret in the wrong place, is not repeated."""
    machine.env(**{variable: "redis://:hunter2@cache"})
    message = machine.refusal()
    assert f"  {where}: unknown key" in message
    assert f"(environment: {variable.upper()})" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("variable", ["BFF__TYPO", "bff__typo__host", "BFF__", "BFF__TYPO__X__Y"])
def test_unknown_room_in_environment_is_refused(machine: Machine, variable: str) -> None:
    """pydantic-settings would not even look at such a variable."""
    machine.env(**{variable: "1"})
    assert machine.refusal().startswith(f"{variable}: no room '")
    assert "rooms are access, admission, " in machine.refusal()


def test_unknown_keys_in_file_are_refused(machine: Machine) -> None:
    """Every unknown key of the file is named, rooms and keys alike, all at once."""
    machine.file({**with_room("edge", hots="0.0.0.0"), "telemety": {"log_level": "info"}})
    message = machine.refusal()
    assert "  edge.hots: unknown key" in message
    assert "  telemety: unknown key" in message


@pytest.mark.parametrize(
    ("room", "keys", "said"),
    [
        ("edge", {"max_body_bytes": 0}, "edge.max_body_bytes = 0: Input should be greater"),
        ("edge", {"max_body_bytes": "many"}, "edge.max_body_bytes = 'many': Input should be a"),
        ("edge", {"cookie_credential": "perhaps"}, "edge.cookie_credential = 'perhaps': "),
        ("documents", {"policy": "closed"}, "documents.policy = 'closed': Input should be 'open'"),
        ("access", {"token_cache_s": 0}, "access.token_cache_s = 0: "),
        ("access", {"keys_max_age_s": -1}, "access.keys_max_age_s = -1: "),
        ("access", {"leeway_s": 61}, "access.leeway_s = 61: "),
        ("access", {"keys_path": "jwks.json"}, "access.keys_path = 'jwks.json': "),
        ("documents", {"max_tokens": 0}, "documents.max_tokens = 0: "),
        ("screens", {"deadline_ms": 10}, "screens.deadline_ms = 10: "),
        ("telemetry", {"sample_ratio": 2}, "telemetry.sample_ratio = 2: "),
        ("telemetry", {"log_level": "verbose"}, "telemetry.log_level = 'verbose': "),
        ("upstreams", {"transport": "curl"}, "upstreams.transport = 'curl': "),
        ("edge", {"max_body_bytes": [1]}, "edge.max_body_bytes = a list: "),
    ],
)
def test_wrong_value_is_named(machine: Machine, room: str, keys: dict[str, Any], said: str) -> None:
    """A wrong value is told with its exact path, itself, the reason and its variable."""
    machine.file(with_room(room, **keys))
    message = machine.refusal()
    assert f"\n  {said}" in message
    assert f"(environment: BFF__{room.upper()}__{next(iter(keys)).upper()})" in message


@pytest.mark.parametrize(
    "url",
    [
        "accounts:8101",
        "ftp://accounts",
        "http://",
        "http:///v1",
        "http://a b",
        "http://a?b",
        "http://a/b#c",
        "http://user:hunter2@accounts:8101",
    ],
)
def test_unusable_address_is_refused(machine: Machine, url: str) -> None:
    """An address calls cannot be built on is refused; a password in it is not repeated."""
    machine.file(with_room("upstreams", services={"accounts": {"url": url}}))
    message = machine.refusal()
    assert "  upstreams.services.accounts.url = " in message
    assert "hunter2" not in message


def test_missing_keys_are_named(machine: Machine) -> None:
    """What has no default and is not set is named, without showing what else is set."""
    machine.file({"store": {"redis_url": "redis://:hunter2@cache"}})
    message = machine.refusal()
    assert "  platforms is not set" in message
    assert "  upstreams is not set" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "store",
    [
        "redis://:hunter2@cache",
        {"redis_url": ["redis://:hunter2@cache"]},
        {"redis_url": {"redis://:hunter2@cache": 1}},
        ["redis://:hunter2@cache"],
    ],
)
def test_misplaced_secret_is_not_shown(machine: Machine, store: Any) -> None:
    """A secret in the wrong place or of the wrong kind does not get into the message."""
    machine.file({**MINIMAL, "store": store})
    message = machine.refusal()
    assert "store" in message
    assert "hunter2" not in message


def test_unknown_identity_service_is_refused(machine: Machine) -> None:
    """Tokens cannot be checked by a service nobody set up."""
    machine.file(with_room("access", identity_service="identity"))
    assert "upstreams.services names only: accounts" in machine.refusal()


def test_platforms_need_ports_of_their_own(machine: Machine) -> None:
    """Two platforms on one port would find out too late."""
    ios = MINIMAL["platforms"]["ios"]
    machine.file({**MINIMAL, "platforms": {"ios": ios, "tv": ios}})
    assert "platforms.tv.port_offset is 1, as is platforms.ios.port_offset" in machine.refusal()


@pytest.mark.parametrize(
    "text",
    ["edge: [", "a: b: c", "\tedge: 1", "edge: {host: a}\nedge: {host: b}\n", "- 1\n", "edge", "5"],
)
def test_wrong_yaml_names_the_file(machine: Machine, text: str) -> None:
    """A file that is no mapping of rooms, or holds a key twice, is refused by name."""
    path = machine.file(text)
    assert machine.refusal().startswith(f"settings file {path}")


def test_wrong_yaml_hides_passwords(machine: Machine) -> None:
    """The parser quotes the line at fault; a password in it is taken out."""
    machine.file('store: {redis_url: "redis://:hunter2@cache", }}\n')
    message = machine.refusal()
    assert "cannot be read as YAML" in message
    assert "hunter2" not in message


def test_binary_file_is_refused(machine: Machine) -> None:
    """A file that is no text is refused like one that is no YAML."""
    machine.file("").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as YAML" in machine.refusal()


def test_missing_file_is_refused(machine: Machine, tmp_path: Path) -> None:
    """A file that is not there says so, and how to name another."""
    machine.env(BFF_CONFIG=str(tmp_path / "nowhere.yaml"))
    assert machine.refusal() == (
        f"settings file {tmp_path / 'nowhere.yaml'} does not exist; set BFF_CONFIG to one that does"
    )


@pytest.mark.parametrize("variable", ["BFF__EDGE", "BFF__UPSTREAMS__SERVICES"])
def test_room_as_text_is_refused(machine: Machine, variable: str) -> None:
    """A variable of a whole room that is no JSON object is a wrong setting, not a crash."""
    machine.env(**{variable: "redis://:hunter2@cache"})
    assert f"{variable} is not JSON; write a list as " in machine.refusal()
    assert "BFF__<ROOM>__<KEY>" in machine.refusal()
    assert "hunter2" not in machine.refusal()


def test_list_is_written_as_json(machine: Machine) -> None:
    """A list in the environment that is no JSON, or has a wrong member, names the variable and the
    form it takes."""
    machine.env(BFF__EDGE__CORS_ORIGINS="https://app.example")
    assert 'BFF__EDGE__CORS_ORIGINS is not JSON; write a list as ["a", "b"]' in machine.refusal()
    machine.env(BFF__EDGE__CORS_ORIGINS='["app.example"]')
    assert '(environment: BFF__EDGE__CORS_ORIGINS=["…", "…"])' in machine.refusal()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("BFF__UPSTREAMS__SERVICES__ACCOUNTS__URL", "write http://host:port"),
        ("BFF__TELEMETRY__OTLP_ENDPOINT", "write http://host:port"),
        ("BFF__ACCESS__KEYS_PATH", "write a path that begins with /"),
        ("BFF__PLATFORMS__IOS__SCHEMA_OBJECT", "write module:object"),
    ],
)
def test_patterns_are_said_in_words(machine: Machine, variable: str, said: str) -> None:
    """What must be written is told in words, not as a pattern."""
    machine.env(**{variable: "nonsense"})
    assert said in machine.refusal()
    assert "^" not in machine.refusal()


def test_settings_are_frozen(machine: Machine) -> None:
    """Nothing changes a setting while the process runs."""
    with pytest.raises(ValueError, match="frozen"):
        machine.load().edge.host = "0.0.0.0"  # type: ignore[misc]


# --- bff config check


def test_check_prints_what_is_in_force(machine: Machine) -> None:
    """The command prints the effective settings as YAML, the policy in force included."""
    machine.env(BFF_ENV="production", BFF__SCREENS__DEADLINE_MS="900")
    result = CliRunner().invoke(config_command, ["check"], catch_exceptions=False)
    assert result.exit_code == 0
    shown = yaml.safe_load(result.output)
    assert shown["documents"]["policy"] == "registered"
    assert shown["screens"] == {"deadline_ms": 900, "stretch": 1.0}
    assert set(shown) == set(Settings.model_fields)


def test_check_promises_no_more(machine: Machine) -> None:
    """Well-formed settings are called that and no more, with what `bff serve` will still miss."""
    output = CliRunner().invoke(config_command, ["check"], catch_exceptions=False).output
    assert "keys and values are well-formed" in output
    assert "BFF__UPSTREAMS__KEY_FILE" in output
    machine.env(BFF__UPSTREAMS__KEY_FILE="/run/key.jwk")
    output = CliRunner().invoke(config_command, ["check"], catch_exceptions=False).output
    assert "BFF__UPSTREAMS__KEY_FILE" not in output


def test_check_masks_secrets(machine: Machine) -> None:
    """No secret is printed."""
    machine.env(BFF__STORE__REDIS_URL="redis://:hunter2@cache:6379/0")
    result = CliRunner().invoke(config_command, ["check"], catch_exceptions=False)
    assert "redis_url: '**********'" in result.output
    assert "hunter2" not in result.output


def test_check_refuses_wrong_settings(machine: Machine) -> None:
    """Wrong settings end the command with their explanation."""
    machine.env(BFF__EDGE__TYPO="1")
    with pytest.raises(ConfigError, match=r"edge\.typo"):
        CliRunner().invoke(config_command, ["check"], catch_exceptions=False)


# --- deploy/bff.yaml names every key


def _uncommented() -> dict[str, Any]:
    """The shipped file with its commented keys taken in."""
    text = re.sub(r"(?m)^(\s*)# ([a-z_]+: \S+)$", r"\1\2", SHIPPED.read_text())
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def _commented() -> set[str]:
    return set(re.findall(r"(?m)^\s*# ([a-z_]+): \S+$", SHIPPED.read_text()))


ROOMS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Room)
}


@pytest.mark.parametrize("room", ROOMS)
def test_shipped_file_names_every_key(room: str) -> None:
    """Every key of every room stands in deploy/bff.yaml with its default; one without a default
    stands there as a comment."""
    model = ROOMS[room]
    assert issubclass(model, BaseModel)
    shown = _uncommented()[room]
    assert set(shown) == set(model.model_fields)
    for key, field in model.model_fields.items():
        if field.is_required():
            continue
        default = field.get_default(call_default_factory=True)
        assert (key in _commented()) == (default is None), key
        if default is not None:
            assert shown[key] == (list(default) if isinstance(default, tuple) else default), key


def test_shipped_file_names_every_room() -> None:
    """Every room stands in the file; `environment` alone is BFF_ENV's."""
    assert set(_uncommented()) == set(Settings.model_fields) - {"environment"}


@pytest.mark.parametrize(
    ("entries", "model"),
    [("platforms", config.PlatformConfig), ("services", config.ServiceConfig)],
)
def test_shipped_entries_name_every_key(entries: str, model: type[Room]) -> None:
    """Platforms and services are written out in full."""
    found = _uncommented()
    shown = found["platforms"] if entries == "platforms" else found["upstreams"]["services"]
    for name, entry in shown.items():
        assert set(entry) == set(model.model_fields), name


def test_commented_keys_are_right(machine: Machine) -> None:
    """A commented key, taken in as it stands there, is a setting that works."""
    machine.file(yaml.safe_dump(_uncommented()))
    settings = machine.load()
    assert settings.documents.policy == "registered"
    assert isinstance(settings.store.redis_url, SecretStr)
    assert settings.upstreams.key_file is not None
    assert settings.telemetry.otlp_endpoint is not None


def test_secrets_are_known() -> None:
    """The list of what is never shown follows the models."""
    assert {"redis_url", "device_salt", "secret"} == config.SECRETS
