"""Reads the settings and checks them.

Sources, strongest first: environment (`BFF__<ROOM>__<KEY>`), the file (`deploy/bff.yaml`, or the
one named by `BFF_CONFIG`), the defaults of `rooms.py`. `BFF_ENV` picks the closed defaults of
production.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bff.config.explain import explain, explain_json, without_user
from bff.config.rooms import (
    PROJECT,
    AccessConfig,
    AdmissionConfig,
    CacheConfig,
    ClientConfig,
    DocumentsConfig,
    EdgeConfig,
    Environment,
    LimitsConfig,
    PlansConfig,
    PlatformConfig,
    Policy,
    RegistryConfig,
    ScreensConfig,
    StoreConfig,
    TelemetryConfig,
    UpstreamsConfig,
    UsageConfig,
)
from bff.errors import ConfigError

# Load balancers look every second or two, and believe the second look.
LAME_DUCK_S = 5.0


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
    limits: LimitsConfig = LimitsConfig()
    admission: AdmissionConfig = AdmissionConfig()
    plans: PlansConfig = PlansConfig()
    screens: ScreensConfig = ScreensConfig()
    upstreams: UpstreamsConfig
    cache: CacheConfig = CacheConfig()
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
    def limits_enforced(self) -> bool:
        """Whether callers are limited: closed by default in production."""
        enforced = self.limits.enforced
        return not self.development if enforced is None else enforced

    @property
    def lame_duck_s(self) -> float:
        """How long a gateway that was told to stop serves on; nobody waits in development."""
        told = self.edge.lame_duck_s
        return (0.0 if self.development else LAME_DUCK_S) if told is None else told

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
        raise ConfigError(explain(error, path)) from error
    except SettingsError as error:
        raise ConfigError(explain_json(error)) from error


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
            f"settings file {path} cannot be read as YAML: {without_user(str(error))}"
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
