"""A small product whose loaders answer when a test lets them, for proofs about waves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, cast

import strawberry
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, parse, validate

from bff.context import Context, Info
from bff.contract import Scope, batch_field, record
from bff.plans.execute import Executed, Executor, graphql_schema
from bff.upstreams.method import Record


class PersonRecord(Record, frozen=True):
    id: str
    friend_id: str | None = None


class PostRecord(Record, frozen=True):
    id: str
    author_id: str | None


class AdvertRecord(Record, frozen=True):
    id: str


class FeedRecord(Record, frozen=True):
    posts: list[PostRecord | AdvertRecord]


class InboxRecord(Record, frozen=True):
    sender_ids: list[str]


class PersonLoader:
    scope: ClassVar[Scope] = Scope.SHARED


class FeedLoader:
    scope: ClassVar[Scope] = Scope.SHARED


class InboxLoader:
    scope: ClassVar[Scope] = Scope.SHARED


class PostLoader:
    scope: ClassVar[Scope] = Scope.SHARED


class WriteLoader:
    scope: ClassVar[Scope] = Scope.SHARED


@strawberry.type
@record(PersonRecord)
class Person:
    id: strawberry.ID

    @strawberry.field
    def shout(self, root: strawberry.Parent[PersonRecord]) -> str:
        return root.id.upper()

    friend: Person | None = batch_field(PersonLoader, "friend_id")
    newest: Post | None = batch_field(PostLoader, "id")


@strawberry.type
@record(PostRecord)
class Post:
    id: strawberry.ID
    author: Person | None = batch_field(PersonLoader, "author_id")


@strawberry.type
@record(AdvertRecord)
class Advert:
    id: strawberry.ID


@strawberry.type
@record(FeedRecord)
class Feed:
    posts: list[Annotated[Post | Advert, strawberry.union("Entry")]]


@strawberry.type
@record(InboxRecord)
class Inbox:
    senders: list[Person | None] = batch_field(PersonLoader, "sender_ids")


def _key(root: object, info: Info) -> str:
    return "me"


def _maybe(root: object, key: str | None = None) -> str | None:
    return key


@strawberry.type
class Home:
    viewer: Person | None = batch_field(PersonLoader, _key)
    feed: Feed | None = batch_field(FeedLoader, _key)
    inbox: Inbox | None = batch_field(InboxLoader, _key)


@strawberry.type
class Query:
    home: Home = strawberry.field(resolver=lambda: Home())
    person: Person | None = batch_field(PersonLoader, _maybe)
    strict: Person = batch_field(PersonLoader, _maybe)


@strawberry.type
class Written:
    by: Person | None = batch_field(PersonLoader, _key)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self) -> Written:
        await asyncio.sleep(0)
        return Written()


SCHEMA = graphql_schema(strawberry.Schema(Query, Mutation))


@dataclass
class Call:
    """One call a loader made, answered when its gate opens."""

    loader: str
    keys: list[str]
    gate: asyncio.Event = field(default_factory=asyncio.Event)


Answer = Callable[[str, str], Any]


def usual(loader: str, key: str) -> Any:
    """What everybody gets: me, a feed of two posts, an inbox of two senders."""
    if loader == "FeedLoader":
        return FeedRecord([PostRecord("p1", "ann"), PostRecord("p2", "bob")])
    if loader == "InboxLoader":
        return InboxRecord(["cleo", "ann"])
    if loader == "PostLoader":
        return PostRecord(f"post-{key}", "zoe")
    return PersonRecord(key, "friend-of-" + key)


class World:
    """The context of one run. Calls of loaders named in `held` wait for `release`."""

    def __init__(
        self, answer: Answer = usual, held: Sequence[str] = (), remaining: float = 4_000
    ) -> None:
        self.calls: list[Call] = []
        self.late = 0
        self._answer = answer
        self._held = set(held)
        self._remaining = remaining
        self._changed = asyncio.Event()

    def loader(self, kind: type) -> _ListLoader:
        return _ListLoader(self, kind.__name__)

    def remaining(self) -> float:
        return self._remaining

    def call_was_late(self) -> None:
        self.late += 1

    @property
    def made(self) -> list[tuple[str, list[str]]]:
        """The calls in the order they left, each with its keys in the order of the alphabet."""
        return [(call.loader.removesuffix("Loader"), sorted(call.keys)) for call in self.calls]

    async def answered(self, loader: str, keys: Sequence[str]) -> list[Any]:
        call = Call(loader, list(keys))
        self.calls.append(call)
        self._changed.set()
        if loader in self._held:
            await call.gate.wait()
        else:
            await asyncio.sleep(0)
        return [self._answer(loader, key) for key in keys]

    async def has_made(self, count: int) -> None:
        """Wait until so many calls have left."""
        async with asyncio.timeout(10):
            while len(self.calls) < count:
                self._changed.clear()
                await self._changed.wait()

    def release(self, loader: str) -> None:
        """Answer every call of a loader, and those to come."""
        self._held.discard(loader)
        for call in self.calls:
            if call.loader == loader:
                call.gate.set()


@dataclass(frozen=True)
class _ListLoader:
    world: World
    name: str

    async def load_all(self, keys: Sequence[str]) -> list[Any]:
        assert len(set(keys)) == len(keys), "keys of a call are unique"
        return await self.world.answered(self.name, keys)


@dataclass(frozen=True)
class Prepared:
    """A registered operation of a text."""

    document: DocumentNode
    definition: OperationDefinitionNode
    document_hash: str
    registered: bool = True
    name: str | None = None

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        return self.document, self.definition


def prepared(text: str, schema: GraphQLSchema = SCHEMA) -> Prepared:
    """The only operation of a valid text."""
    document = parse(text)
    assert not validate(schema, document)
    definition = next(
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    )
    return Prepared(document, definition, text)


async def run(text: str, world: World, variables: Mapping[str, Any] | None = None) -> Executed:
    """Execute a text by its compiled plan. A call that waits for a join budget of a usual world
    would take a quarter of an hour: the run then fails instead."""
    executor = Executor(SCHEMA, hide_suggestions=False)
    operation = prepared(text)
    executor.compile(operation, dict(variables or {}))
    async with asyncio.timeout(20):
        found = await executor.execute(operation, variables or {}, cast("Context", world))
    assert found.plan == "compiled"
    assert not executor.plans.counters.fallbacks
    return found
