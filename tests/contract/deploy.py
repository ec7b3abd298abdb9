"""Reads compose.yaml and the Kubernetes manifests as processes: what runs, with which environment,
files, ports and probes. What must hold of them is the tests'."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import click
import yaml
from pydantic import BaseModel

from bff import config as settings_module
from bff.__main__ import cli
from bff.commands.later import Later
from core_services.__main__ import find_service
from core_services.__main__ import main as services_cli
from core_services.kit.settings import load_settings
from tests.contract.sizes import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
# The image our processes run in; its entry point is `python -m` (a test holds that).
IMAGE = "facet"
PROGRAMS: Mapping[str, click.Command] = {"bff": cli, "core_services": services_cli}
# What make_secrets.py writes into the file of variables that compose names (a test holds that).
SHARED = {"BFF__CACHE__SECRET": "cache-secret", "BFF__USAGE__DEVICE_SALT": "device-salt"}
# Stands for what only the cluster knows, in a form that every setting of the kind takes.
SECRET_VALUES = {
    "redis-url": "redis://redis:6379/0",
    "device-salt": "salt",
    "cache-secret": "a-secret-of-some-length-0123456789",
    "database-url": "postgresql+asyncpg://service@postgres:5432/service",
}


@dataclass(frozen=True)
class Process:
    """One container. `mounts` are paths in it, files or folders; `probes` are (port, path)."""

    where: str
    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: frozenset[str] = frozenset()
    ports: tuple[int, ...] = ()
    probes: tuple[tuple[int, str], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"

    @property
    def ours(self) -> bool:
        return self.image == IMAGE

    @property
    def verb(self) -> tuple[str, ...]:
        """Such as ("bff", "serve", "ios")."""
        return self.command[:3]

    @property
    def serves(self) -> bool:
        return self.ours and self.command[1] == "serve"

    @property
    def is_gateway(self) -> bool:
        return self.serves and self.command[0] == "bff"


@cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


@cache
def manifests() -> tuple[dict[str, Any], ...]:
    """Every object, in the order of the files."""
    texts = (path.read_text() for path in MANIFESTS)
    return tuple(one for text in texts for one in yaml.safe_load_all(text))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in manifests() if one["kind"] == kind]


def named(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in of_kind(kind) if one["metadata"]["name"] == name)


def processes() -> list[Process]:
    """Every container of every deployment."""
    return [*composed(), *orchestrated()]


def composed() -> list[Process]:
    """The containers of compose.yaml."""
    return [_composed(name, one) for name, one in compose()["services"].items()]


def _composed(name: str, service: Mapping[str, Any]) -> Process:
    mounts = {f"/run/secrets/{secret}" for secret in service.get("secrets", ())}
    mounts |= {volume.split(":")[1] for volume in service.get("volumes", ())}
    mounts |= {one.split(":")[0] for one in service.get("tmpfs", ())}
    probe = service.get("healthcheck", {}).get("test", [])[-1:]
    command = tuple(service.get("command", ()))
    return Process(
        "compose",
        name,
        service["image"],
        command,
        {**_shared(service), **{k: str(v) for k, v in service.get("environment", {}).items()}},
        frozenset(mounts),
        tuple(_ports(command)),
        tuple(_probed(url) for url in probe if url.startswith("http")),
        service,
    )


def _shared(service: Mapping[str, Any]) -> dict[str, str]:
    if "env_file" not in service:
        return {}
    return {name: SECRET_VALUES[key] for name, key in SHARED.items()}


def _ports(command: tuple[str, ...]) -> Iterator[int]:
    for word, value in pairwise(command):
        if word == "--port":
            yield int(value)


def _probed(url: str) -> tuple[int, str]:
    match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\w+)", url)
    assert match is not None, url
    return int(match[1]), match[2]


def orchestrated() -> list[Process]:
    """The containers of the Kubernetes manifests."""
    return [
        _orchestrated(owner, container)
        for owner in manifests()
        for container in pod_of(owner).get("containers", ())
    ]


def pod_of(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod a Deployment, Job or CronJob makes; nothing for the rest."""
    spec = owner.get("spec", {})
    if owner["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    found: Mapping[str, Any] = spec["template"]["spec"] if "template" in spec else {}
    return found


def _orchestrated(owner: Mapping[str, Any], container: Mapping[str, Any]) -> Process:
    ports = {one["name"]: one["containerPort"] for one in container.get("ports", ())}
    kinds = ("startupProbe", "readinessProbe", "livenessProbe")
    probes = [container[kind]["httpGet"] for kind in kinds if kind in container]
    return Process(
        "kubernetes",
        owner["metadata"]["name"],
        container["image"],
        tuple(container.get("args", container.get("command", ()))),
        {one["name"]: _value(one) for one in container.get("env", ())},
        frozenset(one["mountPath"] for one in container.get("volumeMounts", ())),
        tuple(ports.values()),
        tuple((ports[one["port"]], one["path"]) for one in probes),
        {**container, "pod": pod_of(owner)},
    )


def _value(variable: Mapping[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"])
    return SECRET_VALUES[variable["valueFrom"]["secretKeyRef"]["key"]]


def parse(command: tuple[str, ...]) -> dict[str, Any]:
    """The parameters the program would run with. Raises click's error for a command it refuses."""
    program, rest = PROGRAMS[command[0]], list(command[1:])
    while isinstance(program, click.Group):
        found = program.commands.get(rest[0])
        if found is None:
            raise click.UsageError(f"no verb {rest[0]}")
        program, rest = (found.command if isinstance(found, Later) else found), rest[1:]
    return program.make_context(command[0], rest).params


def settings_of(process: Process, folder: Path) -> BaseModel:
    """What the process would read from its environment. Raises what it would end with."""
    environment = {k: v for k, v in process.environment.items() if not k.startswith("OTLP")}
    if process.command[0] != "bff":
        with mock.patch.dict(os.environ, environment, clear=True):
            settings: BaseModel = load_settings(find_service(process.command[2]).settings)
            return settings
    if "BFF_CONFIG" in environment:
        environment["BFF_CONFIG"] = str(_mounted(environment["BFF_CONFIG"], folder))
    with mock.patch.dict(os.environ, environment, clear=True):
        return settings_module.load()


def _mounted(path: str, folder: Path) -> Path:
    """The file that the config map of settings puts there."""
    data = named("ConfigMap", "facet-settings")["data"]
    target = folder / Path(path).name
    target.write_text(data[target.name])
    return target


def paths_in(value: Any) -> Iterator[str]:
    """Absolute paths among the values of settings, those in a database's address included."""
    if isinstance(value, dict):
        for key, one in value.items():
            # URLs of services and paths of theirs look like files.
            if not key.endswith(("_path", "url")) or key == "database_url":
                yield from paths_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from paths_in(one)
    elif isinstance(value, str):
        yield from re.findall(r"^/.*|(?<=passfile=)/[^&]*", value)


def is_mounted(process: Process, path: str) -> bool:
    return any(path == mount or path.startswith(f"{mount}/") for mount in process.mounts)


def files_of(process: Process, folder: Path) -> list[str]:
    """Files outside the image that the process's settings name."""
    shown = json.loads(settings_of(process, folder).model_dump_json())
    if not process.serves:
        shown.get("registry", {}).pop("cache_dir", None)  # verbs read the store itself
    found = [path for path in paths_in(shown) if not path.startswith(str(ROOT))]
    return [*found, *(v for v in process.environment.values() if v.startswith("/"))]
