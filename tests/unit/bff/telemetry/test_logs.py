"""Logs of a real process: one JSON object a line, libraries and tracebacks included."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import logging
from bff.telemetry import logs

early = logs.logger("early")
logs.configure("info", "bff-ios")
log = logs.logger("bff.test")
log.debug("not_shown")
early.info("answered", request_id="r-1", path=["home", 0], note='quote " and\\nline', odd=object)
log.warning("binary", value=b"\\xff", lone="\\ud800")
logging.getLogger("uvicorn.error").error("port %s is taken", 8001)
logging.getLogger("uvicorn.access").info("GET /graphql?token=hunter2")
logging.getLogger("httpx2").info("HTTP Request: GET http://content/v1/saved/hunter2")

def fail(password):
    raise ValueError("broken")

try:
    fail("hunter2" * 3)
except ValueError as error:
    log.error("field_failed", exc_info=error)
"""


FULL = """
import os
import sys
from bff.telemetry import logs

logs.configure("info", "bff-ios")
log = logs.logger("bff.test")
for number in range(3):
    log.info("answered", number=number)
    logs.InfoLogger().info("answered", number=number)
sys.stderr.write("still here")
sys.stderr.flush()
os._exit(0)
"""

BOTH = """
import sys
from bff.telemetry import logs

fields = {"codes": ("A",), "field_codes": {"B": 2}, "trace_id": None, "ms": 1.25, "big": 1 << 70}
logs.configure(sys.argv[1], "bff-ios")
logs.InfoLogger().info("answered", **fields)
logs.logger("bff.test").info("answered", **fields)
"""


def lines() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_is_json() -> None:
    """Whatever is logged, by us or by a library, is one JSON object a line with level and time;
    values stay values, a traceback is text without local values, and noisy libraries that would
    write URLs are quiet."""
    found = lines()
    assert [line["event"] for line in found] == [
        "answered",
        "binary",
        "port 8001 is taken",
        "field_failed",
    ]
    assert [line["level"] for line in found] == ["info", "warning", "error", "error"]
    assert all(line["timestamp"].endswith("Z") for line in found)
    assert {line["service"] for line in found} == {"bff-ios"}
    assert found[0]["path"] == ["home", 0]
    assert found[0]["note"] == 'quote " and\nline'
    assert "ValueError: broken" in found[3]["exception"]
    assert "hunter2" not in json.dumps(found)


def test_full_disk_costs_lines_alone() -> None:
    """Where a line cannot be written it is lost, and whoever wrote it goes on."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", FULL]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "still here")


@pytest.mark.parametrize(("level", "shown"), [("debug", 2), ("info", 2), ("warning", 0)])
def test_both_ways_are_one_line(level: str, shown: int) -> None:
    """The line of every request reads as if it had gone the way of all others, and is left out by
    the same levels."""
    command = [sys.executable, "-c", BOTH, level]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == shown
    assert len({tuple(line) for line in found}) <= 1
    instants = [datetime.fromisoformat(line.pop("timestamp")) for line in found]
    assert instants == sorted(instants)
    assert all(line == found[0] for line in found)
