"""A database that cannot be used is told in one line: where, cause, way out."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.databases import postgres_url

__all__ = ["postgres_url"]
URL = "ACCOUNTS__DATABASE_URL"


def run(verb: str, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the accounts service as its operator does; the output is in `stdout`."""
    return subprocess.run(
        [sys.executable, "-m", "core_services", verb, "accounts", *arguments],
        env={**os.environ, URL: url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(url: str, code: int = 1) -> str:
    """Migrate, which must fail in one line without a secret, and return the line."""
    result = run("migrate", url)
    assert result.returncode == code, result.stdout
    assert result.stdout.count("\n") == 1, result.stdout
    line = result.stdout.strip()
    assert "hunter2" not in line
    assert URL in line
    return line


def test_unreachable_server_is_named() -> None:
    """Host, port and database of a server that does not answer are there, its password is not."""
    said = refusal("postgresql+asyncpg://me:hunter2@127.0.0.1:1/facet")
    assert "PostgreSQL at 127.0.0.1:1, database 'facet': Connection refused; start it" in said


def test_missing_database_is_named(postgres_url: str) -> None:
    """A server without this database says how it is made."""
    url = postgres_url.replace("/t", "/none_", 1)
    name = url.partition("?")[0].rpartition("/")[2]
    assert f"create it (createdb {name})" in refusal(url)


def test_unknown_user_is_named(postgres_url: str) -> None:
    """A role the server refuses points at the URL."""
    said = refusal(postgres_url.replace("postgres@", "nobody_we_know:hunter2@"))
    assert "correct user and password" in said


@pytest.mark.parametrize(
    "url", ["postgresql+asyncpg://me:hunter2@host:port/facet", "mysql://me:hunter2@host/facet"]
)
def test_impossible_url_is_named(url: str) -> None:
    """What is no URL of a database is a wrong setting."""
    assert "write postgresql" in refusal(url) or "begin with" in refusal(url)


def test_garbage_is_told_apart(tmp_path: Path) -> None:
    """A file that is no database, or not one of this service, has an exit code of its own."""
    (tmp_path / "a.db").write_bytes(b"garbage" * 1000)
    assert "file is not a database" in refusal(f"sqlite+aiosqlite:///{tmp_path}/a.db", 3)
    other = f"sqlite+aiosqlite:///{tmp_path}/other.db"
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('of another')")
    connection.close()
    assert "not at a version this code knows" in refusal(other, 3)


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////proc/x/a.db", "sqlite+aiosqlite:///{}"])
def test_impossible_file_is_named(tmp_path: Path, url: str) -> None:
    """A file that cannot be opened is named; nothing says it is of no use."""
    assert "look at the folder" in refusal(url.format(tmp_path))


def test_serving_names_its_file(tmp_path: Path) -> None:
    """A service that cannot write where it is told to says so instead of a traceback."""
    (tmp_path / "file").write_text("")
    result = run("serve", f"sqlite+aiosqlite:///{tmp_path}/file/a.db", "--port", "0")
    assert result.returncode == 1
    (line,) = result.stdout.splitlines()
    assert f"{tmp_path}/file" in line


def test_migrating_says_what_it_did(tmp_path: Path) -> None:
    """The first run names the version it went to, the second that there was nothing to do."""
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    assert "accounts: migrated from nothing to version" in run("migrate", url).stdout
    assert "accounts: already at version" in run("migrate", url).stdout
