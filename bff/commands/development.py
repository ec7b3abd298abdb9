"""What `bff up` and `bff token` share: where development's keys, data and ports are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from bff.config import Settings
from bff.errors import ConfigError

SERVICES = ("accounts", "content", "notifications")
DEFAULT_PORT_BASE = 8000
DEFAULT_DATA = Path(".data")
FIRST_SERVICE_OFFSET = 101
DEMO_HANDLE = "demo"
DEMO_PASSWORD = "facet-demo"  # noqa: S105 - of the seeded demonstration accounts only


@dataclass(frozen=True)
class Layout:
    """Ports and files of one development set-up."""

    settings: Settings
    port_base: int
    data: Path

    def bff_port(self, platform: str) -> int:
        return self.port_base + self.settings.platforms[platform].port_offset

    def service_port(self, service: str) -> int:
        return self.port_base + FIRST_SERVICE_OFFSET + SERVICES.index(service)

    def service_url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.service_port(service)}"

    def key_file(self, platform: str) -> Path:
        return self.data / "keys" / f"bff-{platform}.jwk"

    @property
    def registry(self) -> Path:
        """Where `bff up` publishes the seed releases; see seed_registry.py."""
        return self.data / "registry"

    def publisher_key_file(self, platform: str) -> Path:
        """The private key that signs a platform's log."""
        return self.data / "keys" / f"publisher-{platform}.jwk"

    def publishers_file(self, platform: str) -> Path:
        """The public half of it, for gateways."""
        return self.data / "keys" / f"publishers-{platform}.jwks"

    @property
    def callers_file(self) -> Path:
        return self.data / "keys" / "callers.jwks"

    @property
    def signing_key_file(self) -> Path:
        return self.data / "keys" / "accounts.jwk"

    def traces_file(self, name: str) -> Path:
        return self.data / "traces" / f"{name}.jsonl"

    def log_file(self, name: str) -> Path:
        return self.data / "logs" / f"{name}.log"

    def database(self, service: str) -> Path:
        """A service's SQLite file, unless the operator named another database."""
        return self.data / f"{service}.db"

    def has_own_database(self, service: str) -> bool:
        """Whether the service runs on `database(service)`, and not on one of the operator's."""
        return not os.environ.get(f"{service.upper()}__DATABASE_URL")

    def service_environment(self, service: str) -> dict[str, str]:
        """What one core service is told; what the operator set himself stays."""
        prefix = service.upper()
        own = {
            # Quoted: SQLAlchemy takes the path apart like that of any URL.
            f"{prefix}__DATABASE_URL": f"sqlite+aiosqlite:///{quote(str(self.database(service)))}",
            f"{prefix}__CALLERS_FILE": str(self.callers_file),
            f"{prefix}__TRACES_FILE": str(self.traces_file(service)),
        }
        if service == "accounts":
            own["ACCOUNTS__SIGNING_KEY_FILE"] = str(self.signing_key_file)
        return {**own, **os.environ}

    def bff_environment(self, platform: str) -> dict[str, str]:
        """What one gateway is told; what the operator set himself stays."""
        own = {
            "BFF__UPSTREAMS__KEY_FILE": str(self.key_file(platform)),
            "BFF__TELEMETRY__TRACES_FILE": str(self.traces_file(f"bff-{platform}")),
            "BFF__TELEMETRY__SAMPLE_RATIO": "1.0",
        }
        for service in SERVICES:
            own[f"BFF__UPSTREAMS__SERVICES__{service.upper()}__URL"] = self.service_url(service)
        if self.registry.is_dir():
            keys = f"BFF__PLATFORMS__{platform.upper()}__REGISTRY_KEYS"
            own[keys] = str(self.publishers_file(platform))
            own["BFF__REGISTRY__URL"] = str(self.registry)
        return {**own, **os.environ}

    def make_folders(self) -> None:
        """Raises ConfigError for a data folder that cannot be made or written."""
        with self.writable():
            for name in ("keys", "traces", "logs"):
                (self.data / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def writable(self) -> Iterator[None]:
        """What the file system refuses in here is a ConfigError with the way out."""
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"the data folder {self.data} cannot be used: {error.filename or self.data}: "
                f"{error.strerror or error}; make it a folder you may write, or name another "
                "with --data"
            ) from error

    def make_keys(self) -> None:
        """One private key a BFF, their public halves for the services, and the key that signs
        access tokens. Keys that exist are kept, so that tokens outlive a restart. Raises
        ConfigError for one that cannot be read or written."""
        public = []
        with self.writable():
            for platform in self.settings.platforms:
                key = _key(self.key_file(platform), f"bff-{platform}")
                public.append(key.as_dict(private=False))
            self.callers_file.write_text(json.dumps({"keys": public}))
            _key(self.signing_key_file, "accounts-1")

    def forget_traces(self) -> None:
        """Delete the spans of earlier runs. Raises ConfigError."""
        with self.writable():
            for path in (self.data / "traces").glob("*.jsonl"):
                path.unlink()


def layout(settings: Settings, port_base: int, data: Path) -> Layout:
    """The development set-up; refuses production, which brings its own keys and databases."""
    if not settings.development:
        raise ConfigError(
            "BFF_ENV=production: `bff up` and `bff token` are for development; in production run "
            "`bff serve PLATFORM` with keys of your own (deploy/bff.yaml)"
        )
    if not settings.platforms:
        raise ConfigError("platforms names none; add one to the settings file (deploy/bff.yaml)")
    return Layout(settings, port_base, data.resolve())


def development_registry(settings: Settings, platform: str) -> tuple[str, Path] | None:
    """The registry that `bff up` made in its usual folder, and the key that signs there; None in
    production, where settings name another, and before the first `bff up`."""
    if not settings.development or settings.registry.url is not None:
        return None
    where = layout(settings, DEFAULT_PORT_BASE, DEFAULT_DATA)
    key = where.publisher_key_file(platform)
    return (str(where.registry), key) if where.registry.is_dir() and key.is_file() else None


def _key(path: Path, kid: str) -> ECKey:
    if path.is_file():
        try:
            return ECKey.import_key(json.loads(path.read_bytes()))
        except (OSError, ValueError, JoseError) as error:
            raise ConfigError(
                f"{path} holds no key ({type(error).__name__}); delete it and a new one is made"
            ) from error
    key = ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"}, private=True)
    # Whole or not at all, and nobody else's to read at any moment.
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(key.as_dict(private=True), file)
    unfinished.rename(path)
    return key
