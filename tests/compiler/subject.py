"""The compiled executor as the proofs in this folder see it: its class, and what it counted.

The compiler is looked up when it is used, so that a planted bug (`seeded_bugs.py`) is seen by every
proof.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

from graphql.execution import Executor


class Subject:
    """What is under test now. `whole` is a whole operation handed to graphql-core, `parts` a field
    or a value of a compiled one."""

    def __init__(self) -> None:
        hook = import_module("bff.plans.hook")
        self.executor: type[Executor[Any]] = hook.CompiledExecutor
        self._counters = hook.CompiledMixin.plans.counters

    @property
    def compiled(self) -> int:
        """Operations executed by a compiled plan so far."""
        return int(self._counters.compiled)

    @property
    def whole(self) -> Counter[str]:
        """How often a whole operation fell back, by reason."""
        return self._fallbacks("operation")

    @property
    def parts(self) -> Counter[str]:
        """How often a field or a value fell back, by reason."""
        return self._fallbacks("field", "value")

    def _fallbacks(self, *levels: str) -> Counter[str]:
        found = Counter[str]()
        for (level, reason), times in self._counters.fallbacks.items():
            if level in levels:
                found[reason] += times
        return found
