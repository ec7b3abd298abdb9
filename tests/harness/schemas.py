"""Schemas for tests that are a platform's own with something changed: a copy of its package, which
processes find by `PYTHONPATH` and the setting `schema_object`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from bff.config import PROJECT


class Edit(NamedTuple):
    """Text of one of the package's files that is replaced, wherever it stands in it."""

    file: str
    old: str
    new: str


def changed_package(folder: Path, name: str, *edits: Edit, platform: str = "ios") -> str:
    """Write `folder/name`, the schema of a platform with edits, and return its `schema_object`."""
    package = folder / name
    source = PROJECT / "schema" / platform
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in edits:
        path = package / file
        text = path.read_text("utf-8")
        assert old in text, f"{path} has no {old!r}"
        path.write_text(text.replace(old, new), "utf-8")
    for path in package.glob("*.py"):
        path.write_text(path.read_text("utf-8").replace(f"schema.{platform}", name), "utf-8")
    return f"{name}.root:schema"
