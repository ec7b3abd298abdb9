"""The gateways that are compared: how each is started, and what it needs on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from tests.bench.installs import node_program, strawberry_python
from tests.bench.processes import ROOT, CannotMeasureError
from tests.bench.setting import PLATFORM, Setting

HERE = ROOT / "tests" / "bench"
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True)
class Start:
    """A command and what it is told."""

    command: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Row:
    """One gateway. `signed`: it checks access tokens, and is asked with one. `gzip`: it can
    compress. `compiled`: every operation must run by its plan, or the figure counts as none."""

    name: str
    title: str
    start: Callable[[Setting, int], Start]
    signed: bool = False
    gzip: bool = True
    compiled: bool = False


_OUT_OF_REACH = {
    f"BFF__LIMITS__{kind}_{what}": "1000000000"
    for kind in ("ADDRESS", "DEVICE", "USER", "USER_COST", "ADDRESS_COST")
    for what in ("PER_MINUTE", "BURST")
}


def facet(setting: Setting, port: int, mode: str, platform: str = PLATFORM, **told: str) -> Start:
    """Our gateway as in production: only registered documents, real tokens, tracing on and not
    sampled, metrics, one log line a request, limits counted (and out of reach of eight viewers)."""
    environment = {
        **_OUT_OF_REACH,
        "BFF_ENV": "production",
        "BFF__EDGE__OPERATOR_PORT": str(port),  # the same: /metrics tells what ran generic
        "BFF__EDGE__LAME_DUCK_S": "0",
        "BFF__UPSTREAMS__KEY_FILE": str(setting.identities.key_file),
        "BFF__TELEMETRY__TRACES_FILE": str(setting.folder / f"traces-{port}.jsonl"),
        "BFF__TELEMETRY__SAMPLE_RATIO": "0",
        "BFF__PLANS__MODE": mode,
        **told,
    }
    for service in setting.stubs.ports:
        environment[f"BFF__UPSTREAMS__SERVICES__{service.upper()}__URL"] = setting.url(service)
    command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
    return Start(command, environment)


def _facet_compiled(setting: Setting, port: int) -> Start:
    return facet(setting, port, "compiled")


def _facet_generic(setting: Setting, port: int) -> Start:
    return facet(setting, port, "generic")


def _told(setting: Setting, port: int) -> dict[str, str]:
    """What every peer is told, as one JSON variable."""
    told = {
        "port": port,
        "services": {service: setting.url(service) for service in setting.stubs.ports},
        "sdl": str(ROOT / "schema" / PLATFORM / "schema.graphql"),
        "operation": {"id": setting.operation.id, "text": setting.operation.body},
        "publicKeys": str(setting.identities.public_keys),
    }
    return {"BENCH": orjson.dumps(told).decode(), "NODE_ENV": "production"}


def _node(script: str, **told: str) -> Callable[[Setting, int], Start]:
    def start(setting: Setting, port: int) -> Start:
        program = str(HERE / "node" / script)
        return Start([node_program(), program], {**_told(setting, port), **told})

    return start


def _python(module: str) -> Callable[[Setting, int], Start]:
    def start(setting: Setting, port: int) -> Start:
        command = [sys.executable, "-m", "uvicorn", module, "--port", str(port), *UVICORN]
        return Start(command, _told(setting, port))

    return start


def _strawberry(setting: Setting, port: int) -> Start:
    module = "tests.bench.peers.strawberry_stock:app"
    command = [strawberry_python(), "-m", "uvicorn", module, "--port", str(port), *UVICORN]
    return Start(command, _told(setting, port))


ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("facet", "Facet, compiled", _facet_compiled, signed=True, compiled=True),
        Row("facet-generic", "Facet, generic", _facet_generic, signed=True),
        Row("mercurius", "Mercurius jit + DataLoader + undici", _node("mercurius.mjs")),
        Row(
            "mercurius-features",
            "Mercurius, same features",
            _node("mercurius.mjs", FEATURES="1"),
            signed=True,
        ),
        Row(
            "mercurius-pipelined",
            "Mercurius, undici pipelining 4",
            _node("mercurius.mjs", CONNECTIONS="16", PIPELINING="4"),
        ),
        Row("yoga", "Yoga + graphql-jit + undici", _node("yoga.mjs"), gzip=False),
        Row("apollo", "Apollo Server 5 + undici", _node("apollo.mjs"), gzip=False),
        Row("strawberry", "Strawberry + httpx 200/200", _strawberry),
        Row("floor", "Bare ASGI, no GraphQL", _python("tests.bench.peers.floor:app")),
    )
}


def chosen(names: tuple[str, ...]) -> list[Row]:
    """The rows of these names, or all. Raises CannotMeasureError for a name there is not."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise CannotMeasureError(f"no row {unknown[0]}; there are {', '.join(ROWS)}")
    return [ROWS[name] for name in names or ROWS]
