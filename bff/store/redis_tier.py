"""Values in Redis, shared by the replicas of one platform; needs nothing newer than Redis 6.2."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bff.config import StoreConfig
from bff.errors import ConfigError
from bff.store.tier import TierError

NAMESPACE = "facet"


class RedisTier:
    """A KeyValueTier whose keys read `facet:<platform>:<key>`.

    No retries: a request would wait for them, and the caller has a way without Redis. Every fault
    of Redis or of the way to it is a TierError.
    """

    def __init__(self, redis: Redis, platform: str) -> None:
        self._redis = redis
        self._prefix = f"{NAMESPACE}:{platform}:"

    @classmethod
    def connect(cls, config: StoreConfig, platform: str) -> RedisTier:
        """Prepare a pool; nothing is sent yet, so a Redis that is down stops no start-up.

        Raises ConfigError without a usable `store.redis_url`.
        """
        return cls(connected(config), platform)

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._redis.get(self._prefix + key)
        except (RedisError, OSError) as error:
            raise TierError(f"Redis GET failed: {type(error).__name__}") from error
        return cast("bytes | None", value)  # decode_responses is off

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        milliseconds = max(1, round(ttl_s * 1000))
        try:
            await self._redis.set(self._prefix + key, value, px=milliseconds)
        except (RedisError, OSError) as error:
            raise TierError(f"Redis SET failed: {type(error).__name__}") from error

    async def close(self) -> None:
        await let_go(self._redis)


def connected(config: StoreConfig) -> Redis:
    """A client with a pool and time limits of its own, without retries; nothing is sent yet. Raises
    ConfigError without a usable `store.redis_url`."""
    if config.redis_url is None:
        raise ConfigError("store.redis_url is not set; set it, or use the tier in memory")
    seconds = config.redis_timeout_ms / 1000
    try:
        pool = BlockingConnectionPool.from_url(
            config.redis_url.get_secret_value(),
            max_connections=config.redis_max_connections,
            timeout=seconds,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigError(
            f"store.redis_url cannot be used ({type(error).__name__}); "
            "write redis://[user:password@]host:port/database"
        ) from None
    return Redis.from_pool(pool)


async def let_go(redis: Redis) -> None:
    """Close every connection of a client, those in use too. Never fails: a Redis that takes no
    leave in time is left, and must not keep from closing whatever is closed after it."""
    with suppress(RedisError, OSError):
        await redis.aclose()
