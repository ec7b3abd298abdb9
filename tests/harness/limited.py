"""Gateway processes with limits in force, and what their metrics say."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx2

from bff.commands.processes import Child, Children
from tests.harness.databases import free_port
from tests.harness.stack import PATIENT, Stack

# Kinds of limits a test is not about.
OFF = {
    f"BFF__LIMITS__{name}_PER_MINUTE": "0"
    for name in ("DEVICE", "USER", "USER_COST", "ADDRESS_COST", "ATTEMPTS", "ADDRESS_ATTEMPTS")
}


@contextmanager
def limited_gateways(
    stack: Stack,
    platforms: Sequence[str],
    environment: Mapping[str, str],
    options: Sequence[str] = (),
) -> Iterator[list[str]]:
    """More gateway processes, one for each platform named, limits enforced, on free ports; gives
    their URLs. `options` are those of `bff serve`."""
    with Children() as children:
        started = [
            _started(
                stack, children, platform, f"bff-{platform}-limited-{number}", environment, options
            )
            for number, platform in enumerate(platforms)
        ]
        for child in started:
            children.wait_ready(child)
        yield [child.url for child in started]


def _started(
    stack: Stack,
    children: Children,
    platform: str,
    name: str,
    environment: Mapping[str, str],
    options: Sequence[str],
) -> Child:
    port = free_port()
    told = {
        **stack.where.bff_environment(platform),
        **PATIENT,
        "BFF__LIMITS__ENFORCED": "true",
        **environment,
    }
    command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port), *options]
    log = stack.where.log_file(name)
    return children.start(name, command, told, f"http://127.0.0.1:{port}", log)


def sample(url: str, name: str, **labels: str) -> float:
    """One sample of a gateway's /metrics, 0 where it is not there."""
    wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    text = httpx2.get(f"{url}/metrics").text
    for found in re.finditer(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE):
        if ",".join(sorted((found[1] or "").split(","))) == wanted:
            return float(found[2])
    return 0.0
