"""One `bff up` a data folder: a second one would delete and overwrite what the first lives on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from bff.commands.development import Layout
from bff.errors import ConfigError

LOCK = "up.lock"


@contextmanager
def alone(where: Layout) -> Iterator[None]:
    """Hold the data folder; the system lets go of it with the process, however that ends. Raises
    ConfigError naming the process that holds it, or why the folder cannot be used."""
    path = where.data / LOCK
    with where.writable():
        where.data.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ConfigError(
                f"`bff up` (pid {file.read().strip() or 'unknown'}) runs on {where.data} already; "
                "stop it, or give this one a folder of its own with --data"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
