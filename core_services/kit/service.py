"""What a core service hands to the kit.

One value that names its parts, found by name and never imported by another.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from core_services.kit.database import Database
from core_services.kit.seeding import SeedTable
from core_services.kit.settings import ServiceSettings


@dataclass(frozen=True)
class Chore:
    """What a process does now and then in the background; `run` returns how many it did."""

    name: str
    every_s: float
    run: Callable[[Database], Awaitable[int]]


@dataclass(frozen=True)
class Service:
    """A service's `app.py` defines `SERVICE = Service(...)`.

    `seed` returns the tables to fill, parents first. `start`, if any, runs once before the first
    request with the app and the settings, to put per-process objects on `app.state`; SettingsError
    from it stops the start. `chores` are done beside the kit's own. `public_paths` answer without a
    caller's credential.
    """

    name: str
    summary: str
    settings: type[ServiceSettings]
    router: APIRouter
    seed: Callable[[], Sequence[SeedTable]]
    start: Callable[[FastAPI, Any], None] | None = None
    chores: tuple[Chore, ...] = ()
    public_paths: frozenset[str] = field(default=frozenset())

    @property
    def versions(self) -> Path:
        """The folder of this service's migrations."""
        return Path(__file__).parent.parent / self.name / "migrations" / "versions"
