"""How many requests a process answers at once; what comes beyond is refused at once, not queued.

A refusal costs a fraction of an answer, and who waits in a long queue has left before its turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from core_services.kit.errors import Overloaded


class Places:
    """`most` requests at once; what is public (health, metrics, what gateways poll) takes no place
    and finds one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def one(self, *, public: bool) -> Iterator[None]:
        """Take a place for as long as this is open; raises Overloaded when all are taken."""
        if public:
            yield
            return
        if self._taken >= self._most:
            raise Overloaded
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
