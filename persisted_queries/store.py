"""Bytes by path in a folder or an object store (S3, GCS, Azure): read, create once, list. What the
bytes mean is left to others.

Nothing is ever changed in place, so the one promise asked of a store is create-if-absent: of two
writers of one path, one is told that it came too late.
"""

from __future__ import annotations

import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from persisted_queries.problem import DamagedError, RegistryError, StoreGoneError

SCHEMES = ("file", "s3", "gs", "az")
TIMEOUT_S = 3.0
AT_ONCE = 32
MOST_UNANSWERED = 4
PAUSE_S = 1.0
# Nothing that belongs in a store is larger; a store that was broken into may hold anything. Only
# sums of usage come near, and those are read one after another.
MOST_BYTES = 256 * 1024 * 1024
MOST_OF_MANY = 16 * 1024 * 1024


class StoreUrlError(RegistryError):
    """A registry URL that names no store."""


class Store:
    """One store. Every method raises StoreGoneError where the store fails or takes longer than
    `timeout_s` seconds, twice (a folder has no such bound), and what reads DamagedError for what is
    larger than anything that was written there, or is no file."""

    def __init__(self, inner: ObjectStore, name: str, folder: Path | None = None) -> None:
        self.name = name
        self._inner = inner
        self._folder = folder
        # Questions in a row that had no answer: after MOST_UNANSWERED none is asked for PAUSE_S, or
        # who wants ten thousand objects would wait for each of them.
        self._unanswered = 0
        self._again_at = 0.0

    @classmethod
    def of(cls, url: str | Path, timeout_s: float = TIMEOUT_S) -> Store:
        """The store of a folder's path, or of a URL `file://`, `s3://`, `gs://`, `az://`; keys of
        access come from the environment, as each vendor's own tools read them. A folder that is not
        there is never made: what is written into an empty mount point is lost with it. Raises
        StoreUrlError."""
        scheme, separator, rest = str(url).partition("://")
        if not separator or scheme == "file":
            return cls._in_folder(Path(rest if separator else url))
        if "@" in rest or urlsplit(str(url)).query:  # said in logs and errors, and read by nobody
            raise StoreUrlError(
                f"{shown(url)}: has more than a bucket and a path; keys of access are read from "
                "the environment, never from the URL"
            )
        if scheme not in SCHEMES:
            known = ", ".join(f"{one}://" for one in SCHEMES)
            raise StoreUrlError(f"{url}: names no registry; write a folder's path or {known}…")
        within = f"{timeout_s:g}s"
        # Plain HTTP to an endpoint of one's own is the operator's choice, and what comes from it is
        # verified anyway.
        client = {"timeout": within, "connect_timeout": within, "allow_http": True}
        options: Any = {  # typed for each vendor apart; these are the same for all
            "client_options": client,
            "retry_config": {"max_retries": 1, "retry_timeout": timedelta(seconds=timeout_s)},
        }
        try:
            return cls(from_url(str(url), **options), str(url))
        except (BaseError, ValueError, OSError) as error:
            raise StoreUrlError(f"{url}: {_said(error)}") from error

    @classmethod
    def in_memory(cls) -> Store:
        """A store of this process, for tests."""
        return cls(MemoryStore(), "memory")

    @classmethod
    def _in_folder(cls, folder: Path) -> Store:
        folder = folder.absolute()
        try:
            # Without the folder nothing is asked of obstore: see `_from_folder`, `_there`.
            inner = LocalStore(folder) if folder.is_dir() else MemoryStore()
            return cls(inner, str(folder), folder)
        except (BaseError, OSError) as error:
            raise StoreUrlError(f"{folder}: {_said(error)}") from error

    def get(self, path: str, most: int = MOST_BYTES) -> bytes | None:
        """None where there is nothing; `most` bytes."""
        try:
            if self._folder is not None:
                return self._from_folder(self._folder, path, most)
            if self._unanswered >= MOST_UNANSWERED and time.monotonic() < self._again_at:
                raise self._gone(path, TimeoutError("did not answer what was asked before"))
            found = obstore.get(self._inner, path)
            self._check_size(path, found.meta["size"], most)
            data = bytes(found.bytes())
        except FileNotFoundError:
            self._unanswered = 0
            return None
        except (BaseError, OSError) as error:
            self._unanswered += 1
            self._again_at = time.monotonic() + PAUSE_S
            raise self._gone(path, error) from error
        self._unanswered = 0
        return data

    def get_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | RegistryError | None]]:
        """Several at once, in the order asked for; what failed is given in its place. What is not
        taken yet is bounded: a store may answer with less than was put there, or with more."""
        if self._folder is not None:  # nothing to wait for
            yield from ((path, self._tried(path)) for path in paths)
            return
        wanted = list(paths)
        asked: deque[tuple[str, Future[bytes | RegistryError | None]]] = deque()
        with ThreadPoolExecutor(min(AT_ONCE, len(wanted) or 1)) as pool:
            for path in wanted:
                asked.append((path, pool.submit(self._tried, path)))
                if len(asked) > AT_ONCE:
                    first, answer = asked.popleft()
                    yield first, answer.result()
            yield from ((path, answer.result()) for path, answer in asked)

    def create(self, path: str, data: bytes) -> bool:
        """Whether it was created; False where something stands there already. Whole or not at all:
        nobody sees half of it."""
        try:
            obstore.put(self._there(), path, data, mode="create")
        except AlreadyExistsError:
            # It may be ours: an attempt whose answer was lost, and that was tried again.
            return self.get(path) == data
        except (BaseError, OSError) as error:
            raise self._gone(path, error) from error
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Only for what is named by its own hash and was found damaged."""
        try:
            obstore.put(self._there(), path, data, mode="overwrite")
        except (BaseError, OSError) as error:
            raise self._gone(path, error) from error

    def remove(self, paths: Sequence[str]) -> None:
        """For what is told elsewhere too, never for what a log names. One that is not there is no
        fault."""
        try:
            if self._folder is not None:
                for path in paths:
                    (self._folder / path).unlink(missing_ok=True)
                return
            obstore.delete(self._inner, paths)
        except FileNotFoundError:
            for path in paths if len(paths) > 1 else ():
                self.remove([path])
        except (BaseError, OSError) as error:
            raise self._gone(paths[0], error) from error

    def paths(self, prefix: str) -> list[str]:
        """Every path below a prefix (whole names between slashes), in order."""
        try:
            if self._folder is not None and not (self._folder / prefix).is_dir():
                self._check_folder(self._folder)
                return []
            batches = obstore.list(self._there(), prefix)
            found = [one["path"] for batch in batches for one in batch]
        except (BaseError, OSError) as error:
            raise self._gone(prefix, error) from error
        return sorted(found)

    def _there(self) -> ObjectStore:
        """The store itself; a folder that has come since, once it is there."""
        if self._folder is not None:
            self._check_folder(self._folder)
            if not isinstance(self._inner, LocalStore):
                self._inner = LocalStore(self._folder)
        return self._inner

    def _tried(self, path: str) -> bytes | RegistryError | None:
        try:
            return self.get(path, MOST_OF_MANY)
        except RegistryError as error:
            return error

    def _from_folder(self, folder: Path, path: str, most: int) -> bytes:
        """Seven times as fast as through obstore, which counts at ten thousand documents."""
        file = folder / path
        try:
            told = file.stat()
            # A device or a pipe is never read to its end.
            self._check_size(path, told.st_size if stat.S_ISREG(told.st_mode) else None, most)
            return file.read_bytes()
        except FileNotFoundError:
            self._check_folder(folder)
            raise

    def _check_size(self, path: str, size: int | None, most: int) -> None:
        if size is None or size > most:
            what = "is no file" if size is None else f"has {size:,} bytes, which nothing here has"
            raise DamagedError(f"{self.name}: {path}: {what}; somebody else wrote it, remove it")

    def _check_folder(self, folder: Path) -> None:
        """A folder that is gone must not read as an empty one."""
        if not folder.is_dir():
            raise StoreGoneError(
                f"{folder}: no such folder; mount it, make it, or set registry.url to the right one"
            )

    def _gone(self, path: str, error: Exception) -> StoreGoneError:
        return StoreGoneError(
            f"{self.name}: {path}: {_said(error)}; what is known goes on being served, "
            "see that the store is there and may be read"
        )


def shown(url: str | Path) -> str:
    """A registry's URL for people, without what may be secret in it."""
    plain = str(url).partition("?")[0]
    scheme, separator, rest = plain.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else plain


def _said(error: Exception) -> str:
    """The first line: what follows is the library's own inside."""
    return (str(error) or type(error).__name__).splitlines()[0]
