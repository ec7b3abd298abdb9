"""The settings, one frozen model per room and of the room's name; what they mean is the room's.

Sources, strongest first: environment (`BFF__<ROOM>__<KEY>`), the file (`deploy/bff.yaml`, or the
one named by `BFF_CONFIG`), the defaults here. `BFF_ENV` picks the closed defaults of production.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bff.errors import ConfigError

PROJECT = Path(__file__).parent.parent

Environment = Literal["development", "production"]
Policy = Literal["open", "log_unknown", "registered", "ids_only"]
Positive = Annotated[int, Field(ge=1)]
ORIGIN = r"^https?://[^/\s*@]+$"
Origin = Annotated[str, Field(pattern=ORIGIN)]
# No user, query or fragment: paths are put behind it, and what it holds is shown to operators.
URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
Url = Annotated[
    str,
    Field(pattern=URL),
    AfterValidator(lambda url: url.rstrip("/")),
]
URL_PATH = r"^/[^\s?#]*$"
UrlPath = Annotated[str, Field(pattern=URL_PATH)]
SCHEMA_OBJECT = r"^[\w.]+:\w+$"
CAPABILITY = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

# What to write instead, for people who read no patterns.
WORDS: Mapping[str | None, str] = {
    ORIGIN: "write scheme, host and port alone: https://app.example or http://localhost:3000",
    URL: "write http://host:port or https://host/path, without user, query and fragment",
    URL_PATH: "write a path that begins with /, without query and fragment",
    SCHEMA_OBJECT: "write module:object, such as schema.ios.root:schema",
    CAPABILITY: "write up to 64 letters, digits, dots, hyphens and underscores",
}


class Room(BaseModel):
    """Base of every room's settings: unknown keys are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_project(path: Path) -> Path:
    """Relative paths are meant from the project's root, wherever the command was started."""
    return path if path.is_absolute() else PROJECT / path


class PlatformConfig(Room):
    """One platform: its schema object, its releases, and its port counted from the base.
    `registry_keys` holds the public keys of who may publish (JWK set)."""

    schema_object: Annotated[str, Field(pattern=SCHEMA_OBJECT)]
    releases: Annotated[Path, AfterValidator(_in_project)]
    registry_keys: Annotated[Path, AfterValidator(_in_project)] | None = None
    port_offset: Annotated[int, Field(ge=1, le=99)]


class EdgeConfig(Room):
    """Bytes in and out. Sizes in bytes of the uncompressed body."""

    host: str = "127.0.0.1"
    max_head_bytes: Annotated[int, Field(ge=1_024)] = 32_768
    max_body_bytes: Positive = 65_536
    max_json_depth: Positive = 64
    max_batch_size: Positive = 10
    compress_from_bytes: Positive = 860
    cookie_credential: bool = False
    cors_origins: tuple[Origin, ...] = ()
    public_max_age_s: Annotated[int, Field(ge=0)] = 60
    shutdown_grace_s: Positive = 10


class DocumentsConfig(Room):
    """Which documents are answered, and how large an unregistered one may be."""

    policy: Policy | None = None  # None: open in development, registered in production
    apq_max_entries: Positive = 1_000
    apq_max_bytes: Positive = 8_388_608
    apq_ttl_s: Positive = 86_400
    text_cache_bytes: Positive = 33_554_432
    ast_cache_bytes: Positive = 33_554_432
    max_tokens: Positive = 2_000
    max_depth: Positive = 12
    max_aliases: Positive = 30
    max_cost: Positive = 30_000


class AccessConfig(Room):
    """Who the viewer is: tokens of the identity service, checked against its keys and epochs."""

    identity_service: str = "accounts"
    issuer: str = "https://accounts.facet.local"
    audience: str = "facet"
    leeway_s: Annotated[int, Field(ge=0, le=60)] = 30
    keys_path: UrlPath = "/.well-known/jwks.json"
    keys_max_age_s: Positive = 300
    revocations_path: UrlPath = "/v1/revocations"
    revocations_poll_s: Annotated[float, Field(gt=0)] = 2.0
    revocations_max_age_s: Positive = 300
    token_cache_entries: Positive = 20_000
    token_cache_s: Positive = 60


class ScreensConfig(Room):
    """The time a whole answer may take, in milliseconds."""

    deadline_ms: Annotated[int, Field(ge=50, le=60_000)] = 1_500


class ServiceConfig(Room):
    """One core service: where it listens and how long one call may take, in milliseconds."""

    url: Url
    timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 1_000


class PlansConfig(Room):
    """How operations are executed; see deploy/bff.yaml."""

    mode: Literal["compiled", "generic"] = "compiled"
    require_compiled: Literal["warn", "refuse"] = "warn"
    max_memory: Positive = 67_108_864
    shadow_one_in: Annotated[int, Field(ge=0)] = 997
    shadow_cpu_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    shadow_dir: Path | None = None


class UpstreamsConfig(Room):
    """How core services are called; `key_file` holds this BFF's private signing key (JWK)."""

    transport: Literal["pyreqwest", "httpx2"] = "pyreqwest"
    services: dict[str, ServiceConfig]
    key_file: Path | None = None
    max_answer_bytes: Positive = 2_097_152
    max_connections: Positive = 100
    max_calls: Positive = 100
    coalesce: bool = True


class StoreConfig(Room):
    """Redis is level two and optional: without a URL every tier is in this process."""

    redis_url: SecretStr | None = None
    redis_timeout_ms: Annotated[int, Field(ge=1, le=1_000)] = 50
    redis_max_connections: Positive = 20


class RegistryConfig(Room):
    """Where releases are published. Without a URL those of `platforms.<p>.releases` are read once,
    each of them live. `key_file` holds the private key (JWK) of who writes, never a gateway's."""

    url: Annotated[str, Field(min_length=1)] | None = None
    poll_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    cache_dir: Path | None = None
    key_file: Path | None = None


def _number(given: object) -> object:
    return int(given) if isinstance(given, str) and given.isdecimal() else given


class ClientConfig(Room):
    """What becomes of the app build that calls. `unknown_release`: whoever names no release, or one
    that is not in the registry. `upgrade_status` is of refused builds, as plain JSON.
    `capabilities` are told beside those of the schema."""

    unknown_release: Literal["serve", "refuse"] = "serve"
    # As a number from the environment, too.
    upgrade_status: Annotated[Literal[200, 426], BeforeValidator(_number)] = 200
    capabilities: tuple[Annotated[str, Field(pattern=CAPABILITY)], ...] = ()
    deprecations_url: Url | None = None


class UsageConfig(Room):
    """What releases use, counted for `bff usage` and `bff check`. `window_days`: how far back they
    look. `flush_s`: what a process that is killed may lose."""

    window_days: Annotated[int, Field(ge=1, le=366)] = 30
    flush_s: Annotated[float, Field(gt=0, le=60)] = 60.0
    device_salt: SecretStr | None = None


class TelemetryConfig(Room):
    """Where logs, metrics and traces go. `sample_ratio` is of requests without a sampled parent."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    traces_file: Path | None = None
    otlp_endpoint: Url | None = None
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    trust_traceparent: bool | None = None  # None: in development only
    max_live_releases: Positive = 50


class Settings(BaseSettings):
    """Everything one gateway process is told."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="BFF__",
        env_nested_delimiter="__",
        env_ignore_empty=True,  # compose files pass ${UNSET:-} on as an empty text
    )

    environment: Environment = "development"
    platforms: dict[str, PlatformConfig]
    edge: EdgeConfig = EdgeConfig()
    documents: DocumentsConfig = DocumentsConfig()
    access: AccessConfig = AccessConfig()
    plans: PlansConfig = PlansConfig()
    screens: ScreensConfig = ScreensConfig()
    upstreams: UpstreamsConfig
    store: StoreConfig = StoreConfig()
    registry: RegistryConfig = RegistryConfig()
    client: ClientConfig = ClientConfig()
    usage: UsageConfig = UsageConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    @model_validator(mode="after")
    def _identity_service_is_known(self) -> Settings:
        if self.access.identity_service not in self.upstreams.services:
            known = ", ".join(self.upstreams.services) or "none"
            raise ValueError(
                f"access.identity_service is '{self.access.identity_service}', but "
                f"upstreams.services names only: {known}"
            )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        owners: dict[int, str] = {}
        for name, platform in self.platforms.items():
            other = owners.setdefault(platform.port_offset, name)
            if other != name:
                raise ValueError(
                    f"platforms.{name}.port_offset is {platform.port_offset}, as is "
                    f"platforms.{other}.port_offset; give every platform its own"
                )
        return self

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def trust_traceparent(self) -> bool:
        """Whether callers may decide what is sampled: closed by default in production."""
        trusted = self.telemetry.trust_traceparent
        return self.development if trusted is None else trusted

    @property
    def policy(self) -> Policy:
        """The document policy in force: closed by default in production."""
        return self.documents.policy or ("open" if self.development else "registered")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _read_file(config_file())),
        )


def config_file() -> Path:
    """The settings file: `BFF_CONFIG`, else deploy/bff.yaml beside the package."""
    named = os.environ.get("BFF_CONFIG")
    return Path(named) if named else PROJECT / "deploy" / "bff.yaml"


def load(**overrides: Any) -> Settings:
    """Read and check the settings.

    Raises ConfigError naming every wrong key by path, its value and the way out.
    """
    path = config_file()
    if not path.is_file():
        raise ConfigError(f"settings file {path} does not exist; set BFF_CONFIG to one that does")
    overrides.setdefault("environment", os.environ.get("BFF_ENV", "development"))
    _refuse_unknown_environment()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from error
    except SettingsError as error:
        raise ConfigError(_explain_json(error)) from error


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML's own rule would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        # A subclass of the safe loader.
        found = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # The parser quotes the line it stumbled over, and that may hold a password.
        raise ConfigError(
            f"settings file {path} cannot be read as YAML: {_without_user(str(error))}"
        ) from None
    if not isinstance(found, dict | None):
        raise ConfigError(
            f"settings file {path} holds a {type(found).__name__} where rooms are expected; "
            "begin lines as `edge:`"
        )
    if found and "environment" in found:
        raise ConfigError(f"settings file {path}: environment is not read here; set BFF_ENV")
    return found or {}


def _refuse_unknown_environment() -> None:
    """A misspelt BFF__ROOM__KEY must not be silently ignored: pydantic-settings reads only
    variables of known top-level fields, whatever their case."""
    known = set(Settings.model_fields) - {"environment"}
    for name in os.environ:
        if not name.upper().startswith("BFF__"):
            continue
        room = name[len("BFF__") :].split("__")[0].lower()
        if room == "environment":
            raise ConfigError(f"{name} is not read; set BFF_ENV=development|production")
        if room not in known:
            rooms = ", ".join(sorted(known))
            raise ConfigError(f"{name}: no room '{room}'; rooms are {rooms}")


SECRETS = {
    name
    for room in Room.__subclasses__()
    for name, field in room.model_fields.items()
    if "SecretStr" in str(field.annotation)
}


def _explain(error: ValidationError, path: Path) -> str:
    lines = [f"settings are wrong ({path} and BFF__* variables):"]
    for problem in error.errors():
        loc = [str(part) for part in problem["loc"]]
        variable = _variable(problem["loc"])
        where = ".".join(loc)
        if not loc:
            lines.append(f"  {problem['msg']}")
        elif loc == ["environment"]:
            lines.append(f"  BFF_ENV = {problem['input']!r}: {problem['msg']}")
        elif problem["type"] == "extra_forbidden":
            lines.append(
                f"  {where}: unknown key; deploy/bff.yaml names every key (environment: {variable})"
            )
        elif problem["type"] == "missing":
            lines.append(f"  {where} is not set: {problem['msg']} (environment: {variable})")
        else:
            value = _shown(loc[-1], problem["input"])
            lines.append(f"  {where} = {value}: {_said(problem)} (environment: {variable})")
    return "\n".join(lines)


def _variable(location: tuple[int | str, ...]) -> str:
    """The variable a key is set by; the members of a list have none of their own."""
    keys = list(itertools.takewhile(lambda part: isinstance(part, str), location))
    variable = "BFF__" + "__".join(map(str, keys)).upper()
    return variable if len(keys) == len(location) else f'{variable}=["…", "…"]'


def _explain_json(error: SettingsError) -> str:
    """A list or mapping of the environment that is no JSON; the value may be a secret."""
    value = getattr(error.__cause__, "doc", None)
    names = [
        name
        for name, held in os.environ.items()
        if name.upper().startswith("BFF__") and held == value
    ]
    what = " or ".join(names) or str(error)
    return (
        f'{what} is not JSON; write a list as ["a", "b"] and a mapping or a whole room as '
        '{"key": "value"}, or set one key each as BFF__<ROOM>__<KEY>'
    )


def _said(problem: Mapping[str, Any]) -> str:
    """What to write, in words where the rule is a pattern."""
    pattern = problem.get("ctx", {}).get("pattern")
    return WORDS.get(pattern, problem["msg"])


def _shown(key: str, value: Any) -> str:
    """A wrong value for the operator's eyes, which may be a log's too: no secret, no password of a
    URL, and never a whole mapping, which could hold either."""
    if key in SECRETS:
        return "***"
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    return _without_user(repr(value))


def _without_user(text: str) -> str:
    return re.sub(r"//[^/\s]*@", "//***@", text)


__all__ = ["Settings", "config_file", "load"]
