"""Opens a platform's registry for verbs that write to it, with the keys of whoever calls them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bff.config import Settings
from bff.errors import ConfigError
from persisted_queries.problem import RegistryError
from persisted_queries.publish import Writer
from persisted_queries.registry import Registry
from persisted_queries.signing import PublicKeys, Signer, read_public_keys, read_signer
from persisted_queries.store import shown

NO_REGISTRY = "no registry; set registry.url, or give --registry"


class Access(NamedTuple):
    """A registry read to its end, and the key that signs (None: only to read)."""

    registry: Registry
    signer: Signer | None


def access(settings: Settings, platform: str, url: str | None, key: Path | None) -> Access | None:
    """What `--registry` and `--key` name, else the settings; None where no registry is set. Raises
    ConfigError for one that cannot be read to its end, and for keys that do not fit."""
    found = url or settings.registry.url
    if found is None:
        return None
    key = key or settings.registry.key_file
    try:
        signer = read_signer(key) if key is not None else None
        keys = _trusted(settings, platform, signer)
        # No cache: it is a gateway's, and remembers what that gateway has seen.
        registry = Registry.open(found, platform, keys)
        registry.must_be_current()
    except RegistryError as error:
        raise ConfigError(f"registry {shown(found)}: {error}") from error
    return Access(registry, signer)


def registry_of(found: Access | None) -> Registry:
    """The registry, for verbs that are nothing without one. Raises ConfigError."""
    if found is None:
        raise ConfigError(NO_REGISTRY)
    return found.registry


def writer_of(found: Access | None, by: str) -> Writer:
    """The one who writes to a registry; `by` is for its log. Raises ConfigError."""
    registry = registry_of(found)
    if found is None or found.signer is None:
        raise ConfigError("no key to sign with; set registry.key_file, or give --key")
    return Writer(registry, found.signer, by)


def _trusted(settings: Settings, platform: str, signer: Signer | None) -> PublicKeys:
    """The platform's keys, one of which must be the writer's: gateways would refuse what another
    one signs. Where none are set, the writer's own."""
    file = settings.platforms[platform].registry_keys
    if file is None:
        if signer is None:
            raise ConfigError(
                f"no key to verify the registry with; set platforms.{platform}.registry_keys, or "
                "give --key"
            )
        return {signer.kid: signer.key}
    keys = read_public_keys(file)
    if signer is not None and signer.kid not in keys:
        raise ConfigError(
            f"key {signer.kid!r} is none of {file}, which gateways trust; add its public half, or "
            "sign with another"
        )
    return keys
