"""The settings file as it was when it was last found good, for workers that start later.

A worker that replaces a crashed one must not be the first to try what somebody is just editing.
"""

from __future__ import annotations

import os
import sys

from bff import config as settings_module
from bff.config import Settings


class FrozenSettings:
    """A checked copy of the settings file, in memory. Elsewhere than on Linux, which has such
    files, it is the file itself."""

    def __init__(self) -> None:
        """Read and check. Raises ConfigError."""
        self.settings: Settings = settings_module.load()
        self._descriptor: int | None = None
        if sys.platform == "linux":
            self._descriptor = os.memfd_create("bff.yaml")
            os.write(self._descriptor, settings_module.config_file().read_bytes())

    @property
    def descriptors(self) -> list[int]:
        """What a worker must inherit."""
        return [] if self._descriptor is None else [self._descriptor]

    @property
    def environment(self) -> dict[str, str]:
        """What a worker must be told."""
        found = self._descriptor
        return {} if found is None else {"BFF_CONFIG": f"/proc/self/fd/{found}"}

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
