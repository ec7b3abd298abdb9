"""Obtains graphql-core's source distribution, which holds its tests, and what these need to run.

Both come through pip, pinned by hash: the distribution by the lines that pin graphql-core for the
project itself, so its tests are those of the very version installed. Kept in `.data` for next time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import graphql

ROOT = Path(__file__).parent.parent.parent.parent
PINS = ROOT / "deploy" / "requirements" / "dev.txt"
TOOLS = Path(__file__).with_name("requirements.txt")
CACHE = ROOT / ".data" / "core_suite"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "--quiet")
TIMEOUT_S = 120.0


class NotObtained(Exception):
    """graphql-core's tests are not here and could not be fetched."""


@dataclass(frozen=True)
class CoreSuite:
    """Where graphql-core's tests lie, and the import folder with the tools they need."""

    source: Path
    tools: Path


def obtain() -> CoreSuite:
    """The suite of the installed version. Raises NotObtained, with pip's words, without network."""
    home = CACHE / graphql.__version__
    suite = CoreSuite(home / "source", home / "tools")
    if suite.source.is_dir():
        return suite
    home.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home.parent, prefix="fetching-") as folder:
        fetched = Path(folder)
        _install_tools(fetched / "tools")
        _unpack(_download(fetched), fetched / "source")
        shutil.rmtree(home, ignore_errors=True)
        (fetched / "whole").mkdir()
        for part in ("tools", "source"):
            (fetched / part).rename(fetched / "whole" / part)
        (fetched / "whole").rename(home)
    return suite


def _install_tools(target: Path) -> None:
    _pip("install", "--require-hashes", "--no-deps", "--target", str(target), "-r", str(TOOLS))


def _download(folder: Path) -> Path:
    pins = folder / "pins.txt"
    pins.write_text(_pinned_lines(), encoding="utf-8")
    tools = folder / "tools"
    # pip builds metadata even to download: with the pinned build tool, not with one of its choice.
    _pip(
        *("download", "--require-hashes", "--no-deps", "--no-binary", ":all:"),
        *("--no-build-isolation", "--dest", str(folder), "-r", str(pins)),
        PYTHONPATH=str(tools),
        PATH=os.pathsep.join([str(tools / "bin"), os.environ.get("PATH", "")]),
    )
    return next(folder.glob("graphql_core-*.tar.gz"))


def _pinned_lines() -> str:
    found = re.search(r"^graphql-core==.*?(?=^\S|\Z)", PINS.read_text("utf-8"), re.M | re.S)
    if found is None or f"=={graphql.__version__} " not in found.group():
        raise NotObtained(
            f"{PINS.name} does not pin graphql-core {graphql.__version__}, which is installed"
        )
    return found.group()


def _pip(*arguments: str, **environ: str) -> None:
    try:
        done = subprocess.run(
            [*PIP, *arguments],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotObtained(f"pip {arguments[0]} took more than {TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise NotObtained(
            f"pip {arguments[0]} failed: {done.stderr.strip().rpartition(chr(10))[2]}"
        )


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(target.with_suffix(".unpacked"), filter="data")
    (inner,) = target.with_suffix(".unpacked").iterdir()
    inner.rename(target)
