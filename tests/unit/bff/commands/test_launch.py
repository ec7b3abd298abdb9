"""What `bff up` says of a database that cannot be prepared, and which folders do for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bff import config as settings_module
from bff.commands.development import Layout, layout
from bff.commands.launch import prepare
from bff.errors import ConfigError

SERVICE = "notifications"
URL = "NOTIFICATIONS__DATABASE_URL"


def made(data: Path) -> Layout:
    where = layout(settings_module.load(), 20_000, data)
    where.make_folders()
    where.make_keys()
    return where


def refusal(where: Layout) -> str:
    with pytest.raises(ConfigError) as refused:
        prepare(where, SERVICE, quiet=True)
    said = str(refused.value)
    assert "Traceback" not in said
    return said


def test_garbage_may_be_deleted(tmp_path: Path) -> None:
    """A useless file that we made ourselves is the one thing to delete, quoted for the shell."""
    where = made(tmp_path / "my data")
    where.database(SERVICE).write_bytes(b"garbage" * 1000)
    said = refusal(where)
    assert "file is not a database" in said
    assert said.endswith(f"; `rm '{where.database(SERVICE)}'` starts it afresh")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (URL, "postgresql+asyncpg://me:hunter2@127.0.0.1:1/mine"),
        (URL, "sqlite+aiosqlite:///{}/own.db"),
        (URL, "nonsense"),
        ("NOTIFICATIONS__TYPO", "1"),
    ],
)
def test_nothing_else_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Nobody is told to delete anything for a database of his own or for a wrong setting."""
    (tmp_path / "own.db").write_bytes(b"garbage" * 1000)
    monkeypatch.setenv(variable, value.format(tmp_path))
    said = refusal(made(tmp_path))
    assert variable in said
    assert "rm " not in said
    assert "hunter2" not in said


@pytest.mark.parametrize("name", ["a b", "a?b#c%20d%", "ä'&="])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    """The database stands in the data folder whatever the folder is called."""
    where = made(tmp_path / name)
    prepare(where, SERVICE, quiet=True)
    assert where.database(SERVICE).stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
