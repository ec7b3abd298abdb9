"""A screen with every sort of section over loaders that answer, fail, hang and remember."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, cast

import strawberry

from bff.context import Context
from bff.contract import (
    Scope,
    Screen,
    Section,
    SectionFallback,
    batch_field,
    record,
)
from bff.errors import FieldError
from bff.plans.execute import Executed, Executor, Mode, graphql_schema
from bff.upstreams.method import Record
from tests.unit.bff.plans.wave_world import prepared

STALE, EMPTY = SectionFallback.STALE, SectionFallback.EMPTY
HANG = "hang"


class PersonRecord(Record, frozen=True):
    id: str


class PostRecord(Record, frozen=True):
    id: str
    author_id: str


class FeedRecord(Record, frozen=True):
    posts: list[PostRecord]


class NotesRecord(Record, frozen=True):
    texts: list[str]


class _Method(NamedTuple):
    label: str


class AnyLoader:
    scope: ClassVar[Scope] = Scope.SHARED
    method: ClassVar[_Method]


class PersonLoader(AnyLoader):
    method = _Method("people.person")


class FeedLoader(AnyLoader):
    method = _Method("posts.feed")


class PostLoader(AnyLoader):
    method = _Method("posts.post")


class NotesLoader(AnyLoader):
    method = _Method("notes.notes")


@strawberry.type
@record(PersonRecord)
class Person:
    id: strawberry.ID
    best: Post | None = batch_field(
        PostLoader, "id", directives=[Section(budget_ms=300, fallback=STALE)]
    )


@strawberry.type
@record(PostRecord)
class Post:
    id: strawberry.ID
    author: Person | None = batch_field(PersonLoader, "author_id")
    strict: Person = batch_field(PersonLoader, "author_id")


@strawberry.type
@record(NotesRecord)
class Notes:
    texts: list[str]


@strawberry.type
@record(FeedRecord)
class Feed:
    posts: list[Annotated[Post | Notes, strawberry.union("Entry")] | None]


def _mine(root: object) -> str:
    return "me"


def _several(root: object) -> list[str]:
    return ["ann", "bob"]


async def _slow(root: object) -> str:
    await asyncio.Event().wait()
    return "never"


async def _stubborn(root: object) -> str:
    """Does not end when it is told to."""
    try:
        await asyncio.sleep(50)
    except asyncio.CancelledError:
        await asyncio.sleep(50)
    return "at last"


@strawberry.type
class Extras:
    """Has an empty value."""

    tags: list[str] = strawberry.field(resolver=lambda: ["a", "b"])
    word: str | None = strawberry.field(resolver=lambda: "word")
    friends: list[Person | None] = batch_field(PersonLoader, _several)
    must: list[Person] = batch_field(PersonLoader, _several)


async def _extras(root: object) -> Extras:
    await asyncio.sleep(0)
    return Extras()


@strawberry.type
class Home:
    viewer: Person | None = batch_field(PersonLoader, _mine, directives=[Section()])
    feed: Feed | None = batch_field(
        FeedLoader, _mine, directives=[Section(critical=True, fallback=STALE)]
    )
    notes: Notes | None = batch_field(NotesLoader, _mine, directives=[Section(budget_ms=200)])
    friends: list[Person | None] | None = batch_field(
        PersonLoader, _several, directives=[Section(budget_ms=400, fallback=EMPTY)]
    )
    must: list[Person] | None = batch_field(
        PersonLoader, _several, directives=[Section(fallback=EMPTY)]
    )
    extras: Extras | None = strawberry.field(resolver=_extras, directives=[Section(fallback=EMPTY)])
    slow: str | None = strawberry.field(resolver=_slow, directives=[Section(budget_ms=100)])
    hanging: str | None = strawberry.field(resolver=_slow)
    stubborn: str | None = strawberry.field(resolver=_stubborn)
    loose: Person | None = batch_field(PersonLoader, _mine)


@strawberry.type
class Query:
    home: Home = strawberry.field(resolver=lambda: Home(), directives=[Screen(deadline_ms=1_000)])
    wide: Home | None = strawberry.field(resolver=lambda: Home())


WRITTEN: list[str] = []


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, text: str, seconds: float) -> str | None:
        await asyncio.sleep(seconds)
        WRITTEN.append(text)
        return text

    @strawberry.mutation
    async def home(self) -> Home:
        await asyncio.sleep(0)
        return Home()


SCHEMA = graphql_schema(strawberry.Schema(Query, Mutation))


class Kept(NamedTuple):
    record: Any
    age_s: float


def usual(loader: type, key: str) -> Any:
    if loader is FeedLoader:
        return FeedRecord([PostRecord("p1", "ann"), PostRecord("p2", "bob")])
    if loader is NotesLoader:
        return NotesRecord([f"note of {key}"])
    if loader is PostLoader:
        return PostRecord(f"post-{key}", "zoe")
    return PersonRecord(key)


@dataclass
class World:
    """The context of one run. `fates` by loader and key, or loader and "*": an error, or HANG;
    `kept` those whose old records are there. `calls` are the loads that were asked for."""

    fates: dict[tuple[type, str], Any] = field(default_factory=dict)
    kept: set[type] = field(default_factory=set)
    seconds: float = 60.0
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    stale_loads: dict[str, float] = field(default_factory=dict)
    done: int = 0

    def remaining(self) -> float:
        return self.seconds

    def call_was_late(self) -> None: ...

    def loader(self, kind: type) -> _Loader:
        return _Loader(self, kind)

    def load(self, kind: type, key: str) -> Future[Any]:
        return asyncio.ensure_future(self._one(kind, key))

    async def _one(self, kind: type, key: str) -> Any:
        (found,) = await _Loader(self, kind).load_all([key])
        if isinstance(found, Exception):
            raise found
        return found

    def fate(self, kind: type, key: str) -> Any:
        return self.fates.get((kind, key)) or self.fates.get((kind, "*"))


class _Loader:
    def __init__(self, world: World, kind: type) -> None:
        self._world = world
        self._kind = kind

    async def load_all(self, keys: Sequence[str]) -> list[Any]:
        world, kind = self._world, self._kind
        world.calls.append((kind.__name__, tuple(keys)))
        await asyncio.sleep(0)
        fates = [world.fate(kind, key) for key in keys]
        if HANG in fates:
            await asyncio.sleep(30)  # until its own limit
            world.done += 1
        return [
            fate if isinstance(fate, FieldError) else usual(kind, key)
            for key, fate in zip(keys, fates, strict=True)
        ]

    def stale_of(self, keys: Sequence[str]) -> list[Kept | None]:
        if self._kind not in self._world.kept:
            return [None] * len(keys)
        return [Kept(usual(self._kind, key), 40.0 + len(key)) for key in keys]


async def ask(text: str, world: World, mode: Mode) -> Executed:
    executor = Executor(SCHEMA, hide_suggestions=False, mode=mode)
    operation = prepared(text, SCHEMA)
    if mode == "compiled":
        executor.compile(operation, {})
    found = await executor.execute(operation, {}, cast("Context", world))
    assert found.plan.startswith(mode), found.plan
    return found
