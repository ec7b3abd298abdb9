"""Runs graphql-core's tests in processes of their own and reads what they recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.compiler.core_suite.obtain import CoreSuite
from tests.compiler.core_suite.recording import Seen

HERE = Path(__file__).parent
# What executes operations, and what builds the schemas these run against.
SUITES = (
    "tests/execution",
    "tests/test_star_wars_query.py",
    "tests/test_star_wars_introspection.py",
    "tests/test_graphql.py",
    "tests/test_user_registry.py",
    "tests/type",
    "tests/utilities",
)
PLUGINS = ("anyio", "pytest_describe.plugin", "pytest_timeout", "recording")
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Report:
    """One run: every test by id, why whole operations or parts of them fell back, and the output
    that explains a failure."""

    tests: Mapping[str, Seen]
    reasons: Mapping[str, int]
    output: str

    def failed(self) -> set[str]:
        return {name for name, seen in self.tests.items() if seen.outcome == "failed"}


def run_both(suite: CoreSuite, folder: Path) -> tuple[Report, Report]:
    """The suite as it is and over compiled plans, side by side; reports are kept in `folder`.

    Nothing of ours is in the first run: its report is kept beside the suite for the next time.
    """
    known = suite.source.with_name(_version())
    if known.exists():
        shutil.copy(known, folder / "generic.json")
    modes = ("compiled",) if known.exists() else ("generic", "compiled")
    running = {mode: _start(suite, mode, folder) for mode in modes}
    try:
        for mode, process in running.items():
            process.wait(TIMEOUT_S)
            _must_have_run(folder, mode)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    generic, compiled = (_report(folder, mode) for mode in ("generic", "compiled"))
    if not generic.failed():
        shutil.copy(folder / "generic.json", known)
    return generic, compiled


def _version() -> str:
    """Names the report of one Python's run, as it is recorded now."""
    recorded = sha256((HERE / "recording.py").read_bytes()).hexdigest()[:12]
    return f"generic-{sys.implementation.cache_tag}-{recorded}.json"


def _start(suite: CoreSuite, mode: str, folder: Path) -> subprocess.Popen[bytes]:
    plugins = [part for name in PLUGINS for part in ("-p", name)]
    with (folder / f"{mode}.log").open("wb") as output:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=short"),
                *("-p", "no:cacheprovider", *plugins, "-o", "addopts=", *SUITES),
            ],
            cwd=suite.source,
            env=_environment(suite, mode, folder),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _environment(suite: CoreSuite, mode: str, folder: Path) -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH")
    folders = [str(HERE), str(suite.tools), *([inherited] if inherited else [])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(folders),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CORE_SUITE_MODE": mode,
        "PYTHONHASHSEED": "0",  # a test answers with a set
        "CORE_SUITE_REPORT": str(folder / f"{mode}.json"),
    }


def _must_have_run(folder: Path, mode: str) -> None:
    if not (folder / f"{mode}.json").exists():
        output = _output(folder, mode)
        raise AssertionError(f"graphql-core's tests ({mode}) did not run:\n{output[-3000:]}")


def _report(folder: Path, mode: str) -> Report:
    found = json.loads((folder / f"{mode}.json").read_text("utf-8"))
    tests = {name: Seen(**seen) for name, seen in found["tests"].items()}
    return Report(tests, found["reasons"], _output(folder, mode))


def _output(folder: Path, mode: str) -> str:
    log = folder / f"{mode}.log"
    return log.read_text("utf-8", "replace") if log.exists() else "passed before"
