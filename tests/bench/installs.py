"""What peers need and the project does not: Node packages and an environment of their own.

Installed once, from pinned lists; again only when a list changes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.processes import ROOT, CannotMeasureError

OLDEST_NODE = 20
NODE = ROOT / "tests" / "bench" / "node"
PYTHON = ROOT / ".venv-bench"
REQUIREMENTS = ROOT / "tests" / "bench" / "requirements.txt"
STAMP = ".installed-from"
INSTALL_S = 600


def node_program() -> str:
    """Node.js with the peers' packages in place. Raises CannotMeasureError."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        raise CannotMeasureError(f"no Node.js: install {OLDEST_NODE} or newer, with npm on PATH")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if int(said.stdout.strip().removeprefix("v").split(".")[0]) < OLDEST_NODE:
        raise CannotMeasureError(
            f"Node.js {said.stdout.strip()} is too old: {OLDEST_NODE} or newer"
        )
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    _once(NODE / "node_modules", NODE / "package-lock.json", command)
    return program


def strawberry_python() -> str:
    """A Python with stock Strawberry and httpx in place. Raises CannotMeasureError."""
    program = PYTHON / "bin" / "python"
    if not program.exists():
        _run([sys.executable, "-m", "venv", str(PYTHON)])
    pip = [str(program), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _once(PYTHON, REQUIREMENTS, [*pip, "--require-hashes", "-r", str(REQUIREMENTS)])
    return str(program)


def _once(installed: Path, pinned: Path, command: list[str]) -> None:
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()
    stamp = installed / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return
    _run(command)
    stamp.write_text(digest)


def _run(command: list[str]) -> None:
    sys.stderr.write(f"installing what the peers need (once): {' '.join(command[:3])} …\n")
    done = subprocess.run(
        command, cwd=NODE, timeout=INSTALL_S, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotMeasureError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
