"""One frozen model for each room's settings; deploy/bff.yaml says what every key means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

PROJECT = Path(__file__).parent.parent.parent

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
