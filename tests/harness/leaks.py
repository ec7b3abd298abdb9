"""Looks for words that must not be anywhere: in logs, spans, metrics, Redis and the registry of a
running deployment. Which words, and how they got in, is the tests'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
from redis import Redis

from tests.harness.deployment import PLATFORMS, SERVICES, Deployment


def places(deployment: Deployment, store: Path) -> dict[str, bytes]:
    """Everything that outlives a request, by where it is, but for the databases."""
    found = {path.name: path.read_bytes() for path in (deployment.folder / "logs").iterdir()}
    found["edge"] = deployment.edge.log().encode()
    found["spans"] = b"\n".join(deployment.collector.bodies)
    found["metrics"] = b"\n".join(_metrics(deployment))
    found["redis"] = b"\n".join(_redis(deployment.redis.url))
    files = (path for path in sorted(store.rglob("*")) if path.is_file())
    found["registry"] = b"\n".join(str(path).encode() + path.read_bytes() for path in files)
    return found


def _metrics(deployment: Deployment) -> Iterator[bytes]:
    apart = [deployment.ports[f"bff-{platform}", 9100] for platform in PLATFORMS]
    own = [deployment.ports[name, 8101 + n] for n, name in enumerate(SERVICES)]
    for port in (*apart, *own):
        yield httpx2.get(f"http://127.0.0.1:{port}/metrics").content


def _redis(url: str) -> Iterator[bytes]:
    """Every key and value in plain; Redis's own DUMP packs them."""
    with Redis.from_url(url) as redis:
        readers: Mapping[bytes, Any] = {
            b"string": redis.get,
            b"hash": redis.hgetall,
            b"set": redis.smembers,
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"zset": lambda key: redis.zrange(key, 0, -1),
            b"stream": redis.xrange,
        }
        for key in redis.scan_iter():
            kind: Any = redis.type(key)
            yield key
            if kind in readers:  # not one that has just ended
                yield _flat(readers[kind](key))


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return b"\n".join(_flat(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set):
        return b"\n".join(_flat(one) for one in value)
    return str(value).encode()


def found_in(places: Mapping[str, bytes], words: Mapping[str, str]) -> list[str]:
    """`what: where` for every word that is somewhere."""
    return [
        f"{what}: {where}"
        for what, word in words.items()
        for where, held in places.items()
        if word.encode() in held
    ]
