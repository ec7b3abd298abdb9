"""A tiny schema of cats, for the tests of the pipeline and of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import strawberry

from bff.context import Info
from bff.contract import AlwaysAllowed, Requires, Scope, Screen, Sunset, batch_field, record
from bff.errors import BadUserInput
from bff.loaders.base import Loader
from bff.upstreams.method import Answer, Method, Record

RAN: list[str] = []


class CatRecord(Record, frozen=True):
    id: str
    name: str


class CatsAnswer(Answer, frozen=True):
    cats: list[CatRecord]


CATS = Method("content", "cats", "POST", "/cats", Scope.SHARED, CatsAnswer)
MINE = Method("content", "mine", "POST", "/mine", Scope.VIEWER, CatsAnswer)


class CatByIdLoader(Loader[str, CatRecord]):
    method = CATS

    async def fetch(self, keys: Sequence[str]) -> list[CatRecord | None]:
        found = await self.caller.call(self.method, body={"ids": keys}, keys=len(keys))
        cats = {cat.id: cat for cat in found.cats}
        return [cats.get(key) for key in keys]


class MyCatByIdLoader(CatByIdLoader):
    method = MINE


@strawberry.type
@record(CatRecord)
class Cat:
    id: strawberry.ID
    name: str


def _by_id(root: object, id: strawberry.ID) -> str:
    return id


def _mine_by_id(root: object, info: Info, id: strawberry.ID) -> str:
    return id


@strawberry.type
class House:
    cat: Cat | None = batch_field(CatByIdLoader, _by_id)

    @strawberry.field
    async def broken(self) -> str:
        """Non-null, and fails while the cat is still being fetched."""
        await asyncio.sleep(0)
        raise BadUserInput("The house is out of order.")


def _house() -> Any:
    return House()


def _old(info: Info) -> str | None:
    RAN.append("old")
    return "old"


def _scene() -> str | None:
    RAN.append("scene")
    return "scene"


@strawberry.type
class Query:
    cat: Cat | None = batch_field(CatByIdLoader, _by_id, directives=[Screen()])
    mine: Cat | None = batch_field(MyCatByIdLoader, _mine_by_id)
    house: House | None = strawberry.field(resolver=_house)
    other: House | None = strawberry.field(resolver=_house)

    @strawberry.field
    def boom(self) -> str | None:
        raise ValueError("hunter2")

    old: str | None = strawberry.field(
        resolver=_old,
        deprecation_reason="Ask for mine.",
        directives=[Sunset(after="2027-03-31", releases_below="8.0.0", since="2026-01-01")],
    )
    scene: str | None = strawberry.field(resolver=_scene, directives=[Requires(capability="ar")])

    @strawberry.field
    def square(self, of: int) -> int:
        RAN.append("square")
        return of * of


def _sign_in(info: Info) -> str:
    return info.context.viewer.account_id if info.context.viewer else "nobody"


def _sign_out(info: Info) -> str:
    viewer = info.context.signed_in()
    info.context.epoch_moved(viewer.account_id, viewer.epoch + 1)
    return viewer.account_id


def _save(info: Info) -> str:
    RAN.append("save")
    return info.context.signed_in().account_id


@strawberry.type
class Mutation:
    sign_in = strawberry.mutation(_sign_in, graphql_type=str | None, directives=[AlwaysAllowed()])
    sign_out = strawberry.mutation(_sign_out, graphql_type=str | None, directives=[AlwaysAllowed()])
    save = strawberry.mutation(
        _save, graphql_type=str | None, directives=[AlwaysAllowed(signed_in=True)]
    )
    rename = strawberry.mutation(_save, graphql_type=str | None)


schema = strawberry.Schema(Query, Mutation)
