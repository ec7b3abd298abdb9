"""Node.js for the tests: finds it, installs the pinned libraries once, runs scripts and tools."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.databases import not_proven

HERE = Path(__file__).parent
OLDEST = 20
WAY_OUT = f"install Node.js {OLDEST} or newer, with npm on PATH"
INSTALL_S = 240
RUN_S = 60
STAMP = ".installed-from"


@dataclass(frozen=True)
class Node:
    """A Node.js whose libraries are those of package-lock.json."""

    program: str

    def run_script(self, name: str, **settings: str) -> Any:
        """Run js/<name>; what it printed, decoded. Its own errors fail the test."""
        return json.loads(self._run([str(HERE / "js" / name)], HERE, settings))

    def run_tool(self, package: str, *arguments: str, cwd: Path) -> str:
        """Run the command line of an installed package in a folder; what it printed."""
        tool = HERE / "node_modules" / package / "cli.js"
        return self._run([str(tool), *arguments], cwd, {})

    def _run(self, arguments: list[str], cwd: Path, settings: dict[str, str]) -> str:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=cwd,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == 0, f"{arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def find_node() -> Node:
    """Node.js and npm from PATH; without them the test ends here and says what to install."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        not_proven("Node.js", WAY_OUT)
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if int(found.stdout.strip().removeprefix("v").split(".")[0]) < OLDEST:
        not_proven(f"Node.js {OLDEST} (found {found.stdout.strip()})", WAY_OUT)
    return Node(program)


def is_installed() -> bool:
    """Whether node_modules holds what package-lock.json says."""
    stamp = HERE / "node_modules" / STAMP
    return stamp.is_file() and stamp.read_text() == _lock_hash()


def install() -> None:
    """`npm ci`, with its progress on the terminal; no package's own scripts are run."""
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=HERE, timeout=INSTALL_S, check=True)
    (HERE / "node_modules" / STAMP).write_text(_lock_hash())


def _lock_hash() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
