"""The cache of upstream answers as the settings want it: level one, and level two with a Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from bff.config import CacheConfig, StoreConfig
from bff.store.background import Background
from bff.store.records import RecordCache, Tally
from bff.store.redis_tier import connected
from bff.store.sealed import Sealer
from bff.store.shared_records import SharedRecords

SECRET_BYTES = 32


def open_cache(
    config: CacheConfig,
    store: StoreConfig,
    platform: str,
    secret: Callable[[], bytes],
    tally: Tally,
    count: Callable[[str], None],
) -> RecordCache:
    """One process's cache; nothing is sent yet. `secret` makes one where the settings have none;
    `count` gets the names of events. Raises ConfigError without a usable `store.redis_url`."""
    background = Background(config.max_refreshes)
    memory = config.max_memory if config.enabled else 0
    if not memory or not config.redis or store.redis_url is None:
        return RecordCache(memory, tally, jitter=config.jitter, background=background)
    given = config.secret.get_secret_value().encode() if config.secret is not None else secret()
    sealer = Sealer(hashlib.blake2b(given, digest_size=SECRET_BYTES).digest(), platform)
    cache = RecordCache(
        memory, tally, jitter=config.jitter, background=background, named=sealer.tag
    )
    cache.second = SharedRecords(
        connected(store), sealer, cache, count, timeout_s=store.redis_timeout_ms / 1000
    )
    return cache
