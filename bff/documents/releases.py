"""The releases a gateway answers for, read once at start; their format is the registry's."""

from __future__ import annotations

from bff.config import PlatformConfig
from bff.errors import ConfigError
from persisted_queries.manifest import ManifestError
from persisted_queries.releases import Release, ReleaseError, read_releases


def releases_of(platform: str, config: PlatformConfig) -> list[Release]:
    """Every release of a platform, oldest first. Raises ConfigError naming file and way out."""
    try:
        return read_releases(config.releases, platform)
    except (ReleaseError, ManifestError) as error:
        raise ConfigError(f"platforms.{platform}.releases: {error}") from error
