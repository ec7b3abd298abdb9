"""The house keeps its shape: imports flow one way, files stay small, names stay in their rooms."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bff.commands.development import SERVICES
from tests.contract.sizes import ROOT, violations

# The only places of the gateway that may name a core service (besides their own two files).
MAY_NAME_SERVICES = re.compile(r"bff/(commands/|config/rooms\.py|(upstreams|loaders)/(\w+)\.py$)")


def test_imports_flow_one_way() -> None:
    """Every import rule of pyproject.toml holds."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_forbidden_import_is_found(tmp_path: Path) -> None:
    """The import rules can fail: a room that imports the pipeline breaks a contract."""
    for room in ("bff", "schema", "core_services", "persisted_queries"):
        source = ROOT / room
        for path in source.rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    seeded = tmp_path / "bff" / "loaders" / "base.py"
    seeded.write_text(seeded.read_text() + "\nimport bff.pipeline\n")
    script = (
        "import sys; sys.path.insert(0, '.');"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "A request flows one way BROKEN" in done.stdout


def test_files_and_functions_stay_small() -> None:
    """No file, function or pipeline is over its limit."""
    assert list(violations()) == []


def test_a_long_function_is_found(tmp_path: Path) -> None:
    """The size check can fail."""
    (tmp_path / "bff").mkdir()
    body = "\n".join(f"    x{n} = {n}" for n in range(61))
    (tmp_path / "bff" / "long.py").write_text(f"def long():\n{body}\n")
    assert list(violations(tmp_path)) == ["bff/long.py:1: long has 62 lines, at most 60"]


def test_only_service_files_name_services() -> None:
    """A core service is named in its upstream, its loaders, the commands and the settings alone."""
    word = re.compile(rf"\b({'|'.join(SERVICES)})\b")
    named: list[str] = []
    for path in sorted((ROOT / "bff").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        allowed = MAY_NAME_SERVICES.match(name)
        own = allowed is not None and (allowed[3] is None or allowed[3] in SERVICES)
        if not own and any(word.search(line) for line in _code(path)):
            named.append(name)
    assert named == []


def _code(path: Path) -> list[str]:
    """Imports and string constants: where a name would couple; prose may speak of accounts."""
    text = path.read_text(encoding="utf-8")
    return re.findall(
        r"^\s*(?:from|import) .*$|[\"'](?:accounts|content|notifications)[\"']", text, re.M
    )


def test_shared_code_names_no_platform() -> None:
    """Differences between platforms live in their own folders: shared code compares no names."""
    word = re.compile(r"[\"'](ios|android|web)[\"']")
    shared = [*(ROOT / "bff").rglob("*.py"), *(ROOT / "schema" / "blocks").rglob("*.py")]
    named = [
        str(path.relative_to(ROOT))
        for path in sorted(shared)
        if word.search(path.read_text(encoding="utf-8"))
    ]
    assert named == []
