"""What can happen to Redis and to PostgreSQL, each with the proof that it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.chaos.stores import OwnPostgres, OwnRedis
from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.proxy import FaultProxy

REDIS, POSTGRES = "redis", "postgresql"


@dataclass
class Broken:
    """A fault that is on; `proof` says after it was used how often it was really met."""

    proof: Callable[[], int]


@contextmanager
def of_proxy(proxy: FaultProxy, route: str, fault: Fault) -> Iterator[Broken]:
    """A fault of the way to the store."""
    found = 0
    proxy.set(route, fault)

    def proof() -> int:
        counts = proxy.counts(route)
        # Nobody can count who was refused: the server did not hear of anybody.
        return int(counts.connections == 0) if fault.kind is Kind.REFUSE else counts.injected

    try:
        yield Broken(lambda: found or proof())
    finally:
        found = proof()
        proxy.clear(route)


@contextmanager
def redis_stopped(proxy: FaultProxy, redis: OwnRedis) -> Iterator[Broken]:
    redis.pause()
    proxy.zero(REDIS)
    try:
        yield Broken(lambda: _unanswered(proxy))
    finally:
        redis.go_on()


def _unanswered(proxy: FaultProxy) -> int:
    counts = proxy.counts(REDIS)
    return counts.up_bytes if counts.down_bytes == 0 else 0


@contextmanager
def redis_evicting(_: FaultProxy, redis: OwnRedis) -> Iterator[Broken]:
    redis.overfill()
    before = redis.figure("stats", "evicted_keys")
    try:
        yield Broken(lambda: before and redis.figure("stats", "evicted_keys"))
    finally:
        redis.has_room()


@contextmanager
def redis_restarted(proxy: FaultProxy, redis: OwnRedis) -> Iterator[Broken]:
    """It comes back without anything in the middle of the requests."""
    redis.say("SET", "chaos:before", "1")
    proxy.zero(REDIS)
    redis.restart()
    yield Broken(lambda: int("$-1" in redis.say("GET", "chaos:before")))


@contextmanager
def redis_read_only(_: FaultProxy, redis: OwnRedis) -> Iterator[Broken]:
    """A replica whose primary is away: it reads, and refuses writes with READONLY."""
    redis.say("REPLICAOF", "127.0.0.1", "1")
    try:
        yield Broken(lambda: redis.figure("errorstats", "errorstat_READONLY"))
    finally:
        redis.say("REPLICAOF", "NO", "ONE")


RedisFault = Callable[[FaultProxy, OwnRedis], AbstractContextManager[Broken]]
PostgresFault = Callable[[FaultProxy, OwnPostgres], AbstractContextManager[Broken]]


def _way(fault: Fault) -> RedisFault:
    return lambda proxy, _: of_proxy(proxy, REDIS, fault)


LOADING = "-LOADING Redis is loading the dataset in memory\r\n"
REDIS_FAULTS: dict[str, RedisFault] = {
    "down": _way(Fault(Kind.REFUSE)),
    "stopped (SIGSTOP)": redis_stopped,
    "500 ms slow": _way(Fault(Kind.LATENCY, ms=500)),
    "blackhole": _way(Fault(Kind.BLACKHOLE)),
    "reset on accept": _way(Fault(Kind.RESET)),
    "evicting": redis_evicting,
    "restarted empty": redis_restarted,
    "READONLY": redis_read_only,
    "LOADING": _way(Fault(Kind.SAYS, text=LOADING)),
}


@contextmanager
def postgres_down(_: FaultProxy, server: OwnPostgres) -> Iterator[Broken]:
    server.halt()
    try:
        yield Broken(lambda: int(not server._answers()))
    finally:
        server.start()


@contextmanager
def postgres_restarted(_: FaultProxy, server: OwnPostgres) -> Iterator[Broken]:
    began = server.ask("SELECT pg_postmaster_start_time()", "postgres")
    server.halt()
    server.start()
    now = server.ask("SELECT pg_postmaster_start_time()", "postgres")
    yield Broken(lambda: int(began != now))


@contextmanager
def postgres_read_only(_: FaultProxy, server: OwnPostgres) -> Iterator[Broken]:
    server.read_only("postgres", on=True)
    try:
        yield Broken(
            lambda: int(server.ask("SHOW default_transaction_read_only", "postgres") == "on")
        )
    finally:
        server.read_only("postgres", on=False)


def _db(fault: Fault) -> PostgresFault:
    return lambda proxy, _: of_proxy(proxy, POSTGRES, fault)


POSTGRES_FAULTS: dict[str, PostgresFault] = {
    "down": postgres_down,
    "restarted": postgres_restarted,
    "3 s slow": _db(Fault(Kind.LATENCY, ms=3_000)),
    "blackhole": _db(Fault(Kind.BLACKHOLE)),
    "reset on accept": _db(Fault(Kind.RESET)),
    "read-only": postgres_read_only,
}
