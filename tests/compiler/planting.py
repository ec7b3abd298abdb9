"""Plants a bug in the compiler for a while, in memory: its files stay as they are.

All modules of `bff.plans` are loaded anew from texts in which a piece is replaced, and with them
those of the proofs that hold on to them; afterwards everything is as it was.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

import bff.plans

COMPILER = Path(bff.plans.__path__[0])
PACKAGE = "bff.plans"
# Proofs whose modules name the compiler's classes.
HOLDERS = (
    "tests.unit.bff.plans",
    "tests.compiler.platforms",
    "tests.compiler.test_batches",
    "tests.compiler.variables",
)


class NotFound(Exception):
    """The text that a planted bug replaces is not in the compiler; write the bug anew."""


@dataclass(frozen=True)
class Change:
    """A piece of one file's text, which is there exactly once, and what stands there instead."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        if text.count(self.old) != 1:
            raise NotFound(f"{text.count(self.old)} times in {self.file}, not once: {self.old}")
        return text.replace(self.old, self.new)


class _Planted(MetaPathFinder, Loader):
    """Finds the compiler's modules with changed texts."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._texts = {}
        for path in COMPILER.glob("*.py"):
            text = path.read_text("utf-8")
            for change in changes:
                text = change.apply(text) if change.file == path.name else text
            self._texts[f"{PACKAGE}.{path.stem}"] = text
        unknown = {one.file for one in changes} - {f"{n.split('.')[-1]}.py" for n in self._texts}
        if unknown:
            raise NotFound(f"no such files: {unknown}")

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name in self._texts else None

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual kind of module will do."""

    def exec_module(self, module: ModuleType) -> None:
        text = self._texts[module.__name__]
        exec(compile(text, f"<planted {module.__name__}>", "exec"), module.__dict__)  # noqa: S102


@contextmanager
def planted(changes: Sequence[Change]) -> Iterator[None]:
    """Within, the compiler has these changes. Raises NotFound."""
    finder = _Planted(changes)
    kept = {name: module for name, module in sys.modules.items() if _is_concerned(name)}
    for name in kept:
        _forget(name)
    sys.meta_path.insert(0, finder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_concerned(name)]:
            _forget(name)
        for name, module in kept.items():
            sys.modules[name] = module
        for name, module in kept.items():
            package, attribute = _attribute(name)
            setattr(package, attribute, module)


def _forget(name: str) -> None:
    """A module, and the name its package has for it."""
    del sys.modules[name]
    package, attribute = _attribute(name)
    if package is not None:
        vars(package).pop(attribute, None)


def _attribute(name: str) -> tuple[ModuleType | None, str]:
    package, _, attribute = name.rpartition(".")
    return sys.modules.get(package), attribute


def _is_concerned(name: str) -> bool:
    return name.startswith((f"{PACKAGE}.", *HOLDERS))
