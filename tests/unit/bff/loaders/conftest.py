"""A Redis of one test's own, for level two."""

from tests.unit.bff.store.conftest import own_redis

__all__ = ["own_redis"]
