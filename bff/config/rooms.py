"""One frozen model for each room's settings; deploy/bff.yaml says what every key means."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

PROJECT = Path(__file__).parent.parent.parent

Environment = Literal["development", "production"]
Policy = Literal["open", "log_unknown", "registered", "ids_only"]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
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


def _network(text: str) -> str:
    """A network as it is written down: 10.0.0.0/8, 2001:db8::/32, or one address."""
    return str(ip_network(text))


Network = Annotated[str, AfterValidator(_network)]

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
    public_stale_s: Annotated[int, Field(ge=0)] = 300
    shutdown_grace_s: Positive = 10
    head_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 8.0
    idle_timeout_s: Seconds = 75.0
    write_timeout_s: Seconds = 30.0
    max_connections: Positive = 4_096
    max_connections_per_address: NotNegative = 0
    lame_duck_s: Annotated[float, Field(ge=0, le=600)] | None = None  # None: 5, in development 0
    operator_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    trusted_proxies: tuple[Network, ...] = ()
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"


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


class LimitsConfig(Room):
    """How much one caller may ask for; 0 a minute is no limit of that kind. See docs/limits.md."""

    enforced: bool | None = None  # None: in production only
    address_per_minute: NotNegative = 3_000
    address_burst: Positive = 1_000
    device_per_minute: NotNegative = 300
    device_burst: Positive = 150
    user_per_minute: NotNegative = 600
    user_burst: Positive = 200
    user_cost_per_minute: NotNegative = 1_200_000
    user_cost_burst: Positive = 300_000
    address_cost_per_minute: NotNegative = 6_000_000
    address_cost_burst: Positive = 1_500_000
    attempts_per_minute: NotNegative = 10
    attempts_burst: Positive = 10
    address_attempts_per_minute: NotNegative = 60
    address_attempts_burst: Positive = 60
    max_keys: Annotated[int, Field(ge=100)] = 50_000
    settle_ms: Annotated[int, Field(ge=10, le=10_000)] = 200


class AdmissionConfig(Room):
    """How much one process takes on at once; 0 in `max_in_flight` takes on everything."""

    max_in_flight: NotNegative = 1_000
    min_in_flight: Positive = 32
    lag_target_ms: Positive = 50
    prefetch_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    background_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    max_waiting: NotNegative = 500
    max_wait_ms: NotNegative = 250


class ScreensConfig(Room):
    """The time a whole answer may take, in milliseconds; `stretch` is of what schemas declare."""

    deadline_ms: Annotated[int, Field(ge=50, le=60_000)] = 1_500
    stretch: Annotated[float, Field(gt=0, le=1_000)] = 1.0


class GuardConfig(Room):
    """How the calls of one service are kept in bounds; docs/upstreams.md explains each."""

    max_in_flight: Positive = 200
    max_wait_ms: Annotated[int, Field(ge=0, le=1_000)] = 50
    effect_timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 5_000
    retry_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    retry_backoff_ms: Annotated[int, Field(ge=0, le=1_000)] = 50
    slow_ms: Annotated[int, Field(ge=10, le=60_000)] = 500
    breaker_window_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    breaker_calls: Positive = 20
    breaker_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    open_ms: Annotated[int, Field(ge=10, le=300_000)] = 5_000
    hedge_after_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None


class ServiceConfig(Room):
    """One core service: where it listens, how long one call may take, in milliseconds, and how its
    calls are kept in bounds."""

    url: Url
    timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 1_000
    guard: GuardConfig = GuardConfig()


class PlansConfig(Room):
    """How operations are executed; see deploy/bff.yaml."""

    mode: Literal["compiled", "generic"] = "compiled"
    require_compiled: Literal["warn", "refuse"] = "warn"
    max_memory: Positive = 67_108_864
    shadow_one_in: Annotated[int, Field(ge=0)] = 997
    shadow_cpu_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    shadow_dir: Path | None = None


# For each service's calls that take no slot: keys and revocations, one of each at a time.
CRITICAL_CONNECTIONS = 4


class UpstreamsConfig(Room):
    """How core services are called; `key_file` holds this BFF's private signing key (JWK)."""

    transport: Literal["pyreqwest", "httpx2"] = "pyreqwest"
    services: dict[str, ServiceConfig]
    key_file: Path | None = None
    max_answer_bytes: Positive = 2_097_152
    idle_connection_s: Annotated[float, Field(gt=0, le=300)] = 4.0
    max_calls: Positive = 100
    coalesce: bool = True

    @property
    def pool_size(self) -> int:
        """Room for every slot of every service: nothing waits for a connection behind a guard."""
        slots = sum(service.guard.max_in_flight for service in self.services.values())
        return slots + CRITICAL_CONNECTIONS * len(self.services)


class CacheConfig(Room):
    """What is kept of upstream answers, as far as services allow it; see docs/caching.md.
    `max_memory` is in bytes, of one process. `secret` names and seals what is kept in Redis."""

    enabled: bool = True
    max_memory: Positive = 67_108_864
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    max_refreshes: Positive = 16
    redis: bool = True
    secret: SecretStr | None = None


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
