"""The files of deploy/ that are no YAML: the image's recipe, the scripts, the proxy's rules."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

from tests.contract.deploy import DEPLOY

EDGE = DEPLOY / "edge"


def load_script(name: str) -> ModuleType:
    """A script of deploy/ as a module; it belongs to no package."""
    spec = importlib.util.spec_from_file_location(f"deploy_{name}", DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) of the Dockerfile, lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word
    ]


def directives(name: str) -> list[str]:
    """The directives of a file of the edge proxy, each one line, comments left out."""
    text = re.sub(r"(^|\s)#.*", "", (EDGE / name).read_text())
    return [" ".join(part.split()) for part in re.split(r"[;{}]", text) if part.strip()]


def setting(name: str, directive: str) -> list[str]:
    """Every value a directive has in a file."""
    prefix = f"{directive} "
    return [one[len(prefix) :] for one in directives(name) if one.startswith(prefix)]
