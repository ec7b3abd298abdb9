"""The documents room over one release, for its tests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bff.config import DocumentsConfig, Policy
from bff.documents.documents import Documents
from bff.documents.model import Operation
from bff.request import ClientIdentity, OperationRequest
from bff.store.memory import MemoryTier

from .samples import BROKEN, HOME, SAVE, SCHEMA, release

CLIENT = ClientIdentity(name="com.example.app", device_id="device-1")


class Room:
    """The documents room over one release, with its counts and its APQ tier."""

    def __init__(
        self,
        policy: Policy,
        development: bool = True,
        tier: MemoryTier | None = None,
        **limits: Any,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.tier = tier if tier is not None else MemoryTier(1_000, 1_000_000)
        self.documents = Documents(
            SCHEMA,
            DocumentsConfig(**limits),
            policy,
            development,
            [release({"home@7": HOME, "save@7": SAVE, "broken@7": BROKEN})],
            self.tier,
            count=lambda event: self.counts.update([event]),
        )
        self.documents.load()

    async def find(self, **request: Any) -> Operation:
        return await self.documents.find(OperationRequest(**request), CLIENT)
