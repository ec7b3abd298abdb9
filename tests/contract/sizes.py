"""Size limits of the code, as a command (`make check`) and for a test.

Files up to 500 lines, functions up to 60, `bff/pipeline.py` up to 100; tests and migrations may be
longer files, their functions may not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("bff", "schema", "core_services", "persisted_queries", "tests")
MAX_FILE = 500
MAX_FUNCTION = 60
MAX_PIPELINE = 100


def violations(root: Path = ROOT) -> Iterator[str]:
    """One line for each file or function over its limit."""
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield from _in_file(path, path.relative_to(root))


def _in_file(path: Path, name: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    limit = MAX_PIPELINE if str(name) == "bff/pipeline.py" else MAX_FILE
    if lines > limit:
        yield f"{name}: {lines} lines, at most {limit}; give part of it a file of its own"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > MAX_FUNCTION:
                yield f"{name}:{node.lineno}: {node.name} has {size} lines, at most {MAX_FUNCTION}"


def main() -> int:
    """Print what is too long; 1 if anything is."""
    found = list(violations())
    for line in found:
        sys.stdout.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
