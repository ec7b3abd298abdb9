"""The settings, one frozen model per room and of the room's name; what they mean is the room's."""

from bff.config.explain import SECRETS
from bff.config.rooms import (
    PROJECT,
    AccessConfig,
    ClientConfig,
    DocumentsConfig,
    EdgeConfig,
    PlansConfig,
    PlatformConfig,
    Policy,
    RegistryConfig,
    Room,
    ScreensConfig,
    ServiceConfig,
    StoreConfig,
    TelemetryConfig,
    UpstreamsConfig,
    UsageConfig,
)
from bff.config.settings import Settings, config_file, load

__all__ = [
    "PROJECT",
    "SECRETS",
    "AccessConfig",
    "ClientConfig",
    "DocumentsConfig",
    "EdgeConfig",
    "PlansConfig",
    "PlatformConfig",
    "Policy",
    "RegistryConfig",
    "Room",
    "ScreensConfig",
    "ServiceConfig",
    "Settings",
    "StoreConfig",
    "TelemetryConfig",
    "UpstreamsConfig",
    "UsageConfig",
    "config_file",
    "load",
]
