"""A small product over a real context and real loaders, for proofs about shadow mode."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import strawberry
from graphql import OperationDefinitionNode, parse, validate

from bff.context import Context, Info
from bff.contract import Scope, batch_field, record
from bff.loaders.base import Loader
from bff.plans.compiler import CompiledPlan
from bff.plans.execute import Executed, Executor, graphql_schema
from bff.plans.redact import PairFiles
from bff.plans.shadow import Shadow
from bff.plans.verdict import Outcome
from bff.upstreams.calls import Caller, CallLog
from bff.upstreams.method import Answer, Method, Record
from tests.unit.bff.plans.wave_world import Prepared
from tests.unit.bff.upstreams.fakes import VIEWER, arrival, by_path, services

Source = Callable[[str, str], Any]
TICKS = itertools.count()


class PersonRecord(Record, frozen=True):
    id: str
    name: str
    age: int
    friend_id: str | None = None


def usual(_loader: str, key: str) -> Any:
    """Everybody exists, under a name that may stand in no log."""
    return PersonRecord(key, f"Secret {key}", 4711, f"{key}-friend")


class World:
    """What the services know, and every fetch that was made of them."""

    source: Source = staticmethod(usual)
    fetched: list[tuple[str, list[str]]] = []  # noqa: RUF012
    turns: dict[str, int] = {}  # noqa: RUF012

    @classmethod
    def begin(cls, source: Source = usual, **turns: int) -> None:
        """Forget all; `turns` are loop turns by loader before it answers."""
        cls.source, cls.fetched, cls.turns = staticmethod(source), [], turns


class _Nothing(Answer, frozen=True):
    pass


class PersonLoader(Loader[str, PersonRecord]):
    method = Method("content", "person", "GET", "/person", Scope.SHARED, _Nothing)

    async def fetch(self, keys: Sequence[str]) -> list[Any]:
        name = type(self).__name__
        World.fetched.append((name, sorted(keys)))
        for _ in range(World.turns.get(name, 0)):
            await asyncio.sleep(0)
        return [World.source(name, key) for key in keys]


class OtherLoader(PersonLoader):
    method = Method("content", "other", "GET", "/other", Scope.SHARED, _Nothing)


class OwnLoader(PersonLoader):
    method = Method("content", "own", "GET", "/own", Scope.VIEWER, _Nothing)


class Writes:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller


@strawberry.type
@record(PersonRecord)
class Person:
    id: strawberry.ID
    name: str
    age: int
    friend: Person | None = batch_field(PersonLoader, "friend_id")


def _me(root: object, info: Info) -> str:
    return info.context.signed_in().account_id


@strawberry.type
class Both:
    """Both or nothing: what fails takes the other along."""

    right: Person = batch_field(OtherLoader, lambda root: "right")
    left: Person = batch_field(PersonLoader, lambda root: "left")
    maybe: Person | None = batch_field(OtherLoader, lambda root: "maybe")


def _keyed(root: object, key: str) -> str:
    return key


def _keys(root: object, keys: list[str]) -> list[str]:
    return keys


@strawberry.type
class Query:
    me: Person | None = batch_field(OwnLoader, lambda root: "me")
    signed_in: Person | None = batch_field(OwnLoader, _me)
    person: Person | None = batch_field(PersonLoader, _keyed)
    people: list[Person | None] = batch_field(PersonLoader, _keys)
    other: Person | None = batch_field(OtherLoader, _keyed)
    strict: Person = batch_field(PersonLoader, _keyed)
    both: Both | None = strawberry.field(resolver=lambda: Both())

    @strawberry.field
    def note(self, text: str = "Secret note") -> str:
        return text

    @strawberry.field
    def tick(self) -> int:
        return next(TICKS)

    @strawberry.field
    async def awaited(self, info: Info, key: str) -> str | None:
        found = await info.context.load(PersonLoader, key)
        return found.name if found else None

    @strawberry.field
    def time_left(self, info: Info) -> bool:
        return info.context.remaining() > 0 and info.context.arrival.deadline.remaining() > 0

    @strawberry.field
    def direct(self, info: Info) -> str:
        return type(info.context.upstream(Writes)).__name__

    @strawberry.field
    def asked_calls(self, info: Info) -> int:
        return info.context._caller.log.asked

    @strawberry.field
    def primed(self, info: Info) -> str:
        info.context.loader(PersonLoader).clear_all()
        return "Secret"

    @strawberry.field
    def faulty(self) -> str | None:
        raise ValueError(f"Secret at {object()!r}")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def write(self) -> str:
        return "written"


SCHEMA = graphql_schema(strawberry.Schema(Query, Mutation))


def prepared(text: str) -> Prepared:
    """The only operation of a valid text."""
    document = parse(text)
    assert not validate(SCHEMA, document)
    (definition,) = document.definitions
    assert isinstance(definition, OperationDefinitionNode)
    return Prepared(document, definition, sha256(text.encode()).hexdigest())


def context(signed_in: bool = True, milliseconds: float = 15_000) -> Context:
    """The context of one request."""
    arrived = arrival(milliseconds)
    caller = Caller(services(by_path({})), arrived, CallLog())
    caller.viewer = VIEWER if signed_in else None
    return Context(arrived, caller, lambda name, epoch: None)


@dataclass
class Shadowing:
    """An executor in shadow mode. Its clock stands still, so that nothing is paused."""

    one_in: int = 1
    directory: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executor = Executor(SCHEMA, hide_suggestions=False)
        self.shadow = self.executor.shadow = Shadow(
            self.executor.plans,
            self.one_in,
            cpu_share=1.0,
            count=self.outcomes.append,
            files=PairFiles(self.directory) if self.directory else None,
            cpu=lambda: 0.0,
        )

    async def ask(
        self,
        text: str,
        variables: Mapping[str, Any] | None = None,
        within: Context | None = None,
        wrong: Callable[[CompiledPlan], None] | None = None,
    ) -> Executed:
        """Execute a text by its plan, of which `wrong` may make a wrong one first."""
        operation = prepared(text)
        plans = self.executor.compile(operation, dict(variables or {}))
        if wrong is not None:
            wrong(plans[0])
        found = await self.executor.execute(operation, variables or {}, within or context())
        assert found.plan == "compiled"
        return found

    async def judged(self, count: int = 1) -> list[Outcome]:
        """The outcomes, once there are so many."""
        task = asyncio.create_task(self.shadow.replay_in_background())
        try:
            async with asyncio.timeout(20):
                while len(self.outcomes) < count and not task.done():
                    await asyncio.sleep(0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return self.outcomes

    async def outcome(self, text: str, **options: Any) -> Outcome:
        """What shadowing one answer comes to."""
        await self.ask(text, **options)
        (found,) = await self.judged()
        return found
