"""A Redis of one test's own, which may be killed and started again on the same port."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.harness.databases import (
    NO_REDIS,
    _await,
    _redis_program,
    free_port,
    not_proven,
    redis_url,
)

__all__ = ["redis_url"]


class OwnRedis:
    """A `redis-server` without persistence on 127.0.0.1; `kill` is SIGKILL."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._home = home
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.restart()

    def restart(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [self._program, "--bind", "127.0.0.1", "--port", str(self._port), "--save", ""],
            cwd=self._home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        _await(self._answers, "Redis", self._process)

    def kill(self) -> None:
        """End it without a farewell; returns when it is gone."""
        self._process.kill()
        self._process.wait(10)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Redis for one test."""
    program = _redis_program()
    if program is None:
        not_proven("Redis", NO_REDIS)
    server = OwnRedis(program, tmp_path)
    yield server
    server.kill()
