"""Shadow mode: one in so many answers by compiled plans is executed again by graphql-core.

Over the upstream answers recorded in that very request, so without a call, and never a mutation;
in the background, within a share of the process's time. A plan that differs raises an alarm and is
not used again; the pair is kept without a viewer's data. No request waits for any of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType

from bff.context import Context
from bff.plans.compiler import NotCompiled
from bff.plans.redact import PairFiles, Redactor, keys_of
from bff.plans.replay import Recording, ReplayContext
from bff.plans.store import PlanKey, PlanStore, plan_key
from bff.plans.verdict import Entry, Outcome, Side, Verdict, encoded, entries, judge
from bff.telemetry.logs import logger

DIFFERS = "differs from graphql-core"
# A pair holds what one request loaded: few may wait, or shadowing would cost memory.
MAX_WAITING = 4
# All answers are there at once; what is not over by then waits for something it cannot have.
REPLAY_LIMIT_S = 5.0

# Executes the operation by graphql-core with a context; its result may have to be awaited.
Again: TypeAlias = Callable[[Context], Any]

log = logger(__name__)


class Shadowed(Protocol):
    """Of an operation, what shadow mode needs."""

    @property
    def document_hash(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer that is to be shadowed, while it is made: its plan, one for a fence class or for
    all (""), runs with a RecordingContext."""

    operation: Shadowed
    variables: Mapping[str, Any]
    recording: Recording
    fence_class: str

    @property
    def key(self) -> PlanKey:
        return plan_key(self.operation, self.fence_class)


@dataclass(frozen=True, slots=True)
class Pair:
    """What the compiled plan answered, and the way to execute the same again."""

    turn: Turn
    data: Any
    errors: tuple[Entry, ...]
    again: Again
    hidden: bool


@dataclass(slots=True)
class Shadow:
    """Takes every `one_in`-th answer; where that is a mutation's, the next query's instead.

    `cpu_share` (0 to 1) is what replays may take of the process's time: after one that took so many
    seconds of CPU follows a pause that makes it that share of both. What other tasks used meanwhile
    counts too, so that a busy process shadows less. `count` is told every outcome.
    """

    plans: PlanStore
    one_in: int
    cpu_share: float
    count: Callable[[Outcome], None]
    files: PairFiles | None = None
    cpu: Callable[[], float] = time.thread_time
    pause: Callable[[float], Awaitable[Any]] = asyncio.sleep
    _since: int = field(default=0, init=False)
    _waiting: deque[Pair] = field(default_factory=deque, init=False)
    _more: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    # On the request's way.

    def begin(
        self,
        operation: Shadowed,
        variables: Mapping[str, Any],
        context: Context,
        fence_class: str = "",
    ) -> Turn | None:
        """Whether it is this answer's turn."""
        self._since += 1
        if self._since < self.one_in:
            return None
        if operation.parsed()[1].operation is not OperationType.QUERY:
            return None
        self._since = 0
        if len(self._waiting) >= MAX_WAITING:
            self.count("dropped")
            return None
        return Turn(operation, variables, Recording.of(context), fence_class)

    def end(
        self,
        turn: Turn,
        data: Any,
        errors: Sequence[GraphQLError],
        again: Again,
        hidden: bool = False,
    ) -> None:
        """The compiled answer is there, and nobody changes it from here on; `hidden` if a fence
        took errors out of it."""
        if len(self._waiting) >= MAX_WAITING:
            self.count("dropped")
            return
        # Compared as text later: the errors themselves keep frames of the request alive.
        self._waiting.append(Pair(turn, data, entries(errors), again, hidden))
        self._more.set()

    # In the background.

    async def replay_in_background(self) -> None:
        """Judges pair by pair within the share; runs until it is cancelled."""
        while True:
            await self._more.wait()
            while self._waiting:
                before = self.cpu()
                self.count(await self._outcome(self._waiting.popleft()))
                used = self.cpu() - before
                await self.pause(used / self.cpu_share - used)
            self._more.clear()

    async def _outcome(self, pair: Pair) -> Outcome:
        """Failure policy: whatever goes wrong here costs the pair, never a request or the next."""
        if self._is_disabled(pair):
            return "dropped"
        try:
            verdict = await self._judged(pair)
            if verdict.outcome == "inconclusive":
                log.info("plan_shadow_inconclusive", reason=verdict.reason, **_named(pair))
            return verdict.outcome
        except Exception:
            log.exception("plan_shadow_failed", **_named(pair))
            return "failed"

    async def _judged(self, pair: Pair) -> Verdict:
        unfit = pair.turn.recording.unfit
        if unfit is not None:
            return Verdict("inconclusive", unfit)
        generic = await self._replayed(pair)
        if isinstance(generic, Verdict):
            return generic
        asked = frozenset(pair.turn.recording.asked)
        compiled = Side(pair.data, pair.errors, asked, hidden=pair.hidden)
        verdict = judge(compiled, generic)
        if verdict.outcome != "differs":
            return verdict
        once_more = await self._replayed(pair)
        if isinstance(once_more, Verdict) or not _same(generic, once_more):
            return Verdict("inconclusive", "graphql-core differs from itself")
        await self._alarm(pair, compiled, generic, verdict)
        return verdict

    async def _replayed(self, pair: Pair) -> Side | Verdict:
        """graphql-core's answer over the recorded ones, or why there is none."""
        context = ReplayContext(pair.turn.recording)
        try:
            async with asyncio.timeout(REPLAY_LIMIT_S):
                result = pair.again(context)
                if isawaitable(result):
                    result = await result
        except TimeoutError:
            return Verdict("inconclusive", "the replay waits for something")
        if context.unfit is not None:
            return Verdict("inconclusive", context.unfit)
        return Side(
            result.data,
            entries(result.errors or ()),
            frozenset(context.asked),
            frozenset(context.missing),
        )

    async def _alarm(self, pair: Pair, compiled: Side, generic: Side, verdict: Verdict) -> None:
        self.plans.disable(pair.turn.key, DIFFERS)
        redactor = Redactor(keys_of(pair.turn.operation.parsed()[0]))
        found = {
            **_named(pair),
            "difference": verdict.reason,
            "paths": [redactor.path(path) for path in verdict.paths],
        }
        log.error(
            "plan_differs", file=await self._kept(pair, redactor, found, compiled, generic), **found
        )

    async def _kept(
        self,
        pair: Pair,
        redactor: Redactor,
        found: Mapping[str, Any],
        compiled: Side,
        generic: Side,
    ) -> str | None:
        """The file the redacted pair is in. Failure policy: a disk that refuses costs the file."""
        if self.files is None:
            return None
        shown = {
            **found,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "variables": redactor.value(pair.turn.variables),
            "asked_by_generic_only": redactor.keys(generic.asked - compiled.asked),
            "asked_by_compiled_only": redactor.keys(compiled.asked - generic.asked),
            "compiled": redactor.side(compiled),
            "generic": redactor.side(generic),
        }
        try:
            return await asyncio.to_thread(self.files.keep, shown)
        except OSError as error:
            log.warning("plan_difference_not_kept", reason=error.strerror)
            return None

    def _is_disabled(self, pair: Pair) -> bool:
        """Of a plan that was found to differ, further pairs tell nothing new."""
        try:
            self.plans.get(pair.turn.key)
        except NotCompiled:
            return True
        return False


def _same(one: Side, other: Side) -> bool:
    return (
        encoded(one.data) == encoded(other.data)
        and sorted(map(repr, one.errors)) == sorted(map(repr, other.errors))
        and one.missing == other.missing
    )


def _named(pair: Pair) -> dict[str, Any]:
    turn = pair.turn
    named = {"document_hash": turn.operation.document_hash, "operation": turn.operation.name}
    return {**named, "fence": turn.fence_class} if turn.fence_class else named
