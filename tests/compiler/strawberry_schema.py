# mypy: disable-error-code="untyped-decorator"
"""A Strawberry schema that uses what Strawberry offers, each in a small field.

Whatever of it the compiler enters by a shorter way must answer as the long way does; what it does
not know must keep to the long way. Resolvers tell what they were given.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Iterator
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from bff.contract import record
from bff.plans.execute import graphql_schema
from bff.upstreams.method import Record

T = TypeVar("T")


@strawberry.enum
class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@strawberry.enum
class Tint(Enum):
    DARK = "dark"
    PALE = strawberry.enum_value("pale", deprecation_reason="too pale")


@strawberry.input
class Options:
    text: str = "t"
    size: Size = Size.SMALL
    tint: Tint | None = strawberry.UNSET
    numbers: list[int] | None = None
    inner: Options | None = None


class Forbids(BasePermission):
    message = "not for you"

    def has_permission(self, source: Any, info: Info, **arguments: Any) -> bool:
        return bool(arguments.get("allowed", True))


class Shouts(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Info, **arguments: Any) -> Any:
        return f"{next_(source, info, **arguments)}!"


class Marked(StrawberryField):
    """A field of a class of its own."""

    def get_result(self, source: Any, info: Any, args: Any, kwargs: Any) -> Any:
        return f"marked {super().get_result(source, info, args, kwargs)}"


def _marked(resolver: Any) -> Any:
    return Marked(python_name=None, type_annotation=None)(resolver)


@strawberry.interface
class Named:
    name: str

    @strawberry.field
    def shown(self, prefix: str = "the ") -> str:
        return prefix + self.name


@strawberry.type
class Plain(Named):
    size: Size | None = Size.LARGE
    tint: Tint = Tint.DARK
    when: dt.datetime = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    price: Decimal = Decimal("1.50")
    secret: strawberry.Private[str] = "hidden"

    @strawberry.field
    def secretly(self) -> str:
        return self.secret


@strawberry.type
class Special(Named):
    odd: list[int | None] | None = None

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, Special) and value.name != "liar"


class CardRecord(Record, frozen=True):
    name: str
    size: int
    peer: CardRecord | None = None


@strawberry.type
@record(CardRecord)
class Card:
    name: str
    size: int
    peer: Card | None

    @strawberry.field
    def told(self, root: strawberry.Parent[CardRecord]) -> str:
        return f"{type(root).__name__} {root.name}"


@strawberry.type
class Box(Generic[T]):
    content: T
    others: list[T]


Thing = Annotated[Plain | Special | Card, strawberry.union("Thing")]


def _things() -> list[Any]:
    return [
        Plain(name="plain"),
        Special(name="special", odd=[1, None]),
        CardRecord("card", 3, CardRecord("inner", 4)),
    ]


def _words(info: Info, many: int = 2) -> str:
    told = (info.field_name, info.python_name, str(info.path.as_list()), info.context["who"])
    return f"{told} {sorted(info.variable_values.items())} {many}"


async def _later(value: T, turns: int = 1) -> T:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


@strawberry.type
class Query:
    described: str = strawberry.field(resolver=_words)
    constant: int = 7

    @strawberry.field
    def options(self, options: Options, more: list[Options] | None = None) -> str:
        return f"{options} {more}"

    @strawberry.field
    def maybe(self, info: Info, size: Size | None = None, tint: Tint = Tint.PALE) -> str:
        return f"{size!r} {tint!r} {info.context['who']}"

    @strawberry.field
    def unset(self, number: int | None = strawberry.UNSET, float_: float = 1.5) -> str:
        return f"{number!r} {float_!r}"

    @strawberry.field(name="renamed", deprecation_reason="old")
    def with_another_name(self, some_id: strawberry.ID) -> strawberry.ID:
        return some_id

    @strawberry.field(permission_classes=[Forbids])
    def guarded(self, allowed: bool = True) -> str | None:
        return f"allowed {allowed}"

    @strawberry.field(permission_classes=[Forbids])
    async def guarded_later(self, allowed: bool = True) -> str | None:
        return await _later(f"allowed {allowed}")

    @strawberry.field(extensions=[Shouts()])
    def shouted(self, word: str = "hey") -> str:
        return word

    @_marked
    def marked(self, word: str = "w") -> str:
        return word

    @strawberry.field
    def things(self, first: int = 3) -> list[Thing]:
        return _things()[:first]

    @strawberry.field
    async def named(self) -> list[Named | None]:
        return await _later([Plain(name="a"), None, Special(name="b"), Special(name="liar")])

    @strawberry.field
    def promised(self) -> list[Plain | None]:
        return [_later(Plain(name=name), len(name)) for name in ("x", "xyz")]  # type: ignore[misc]

    @strawberry.field
    def box(self) -> Box[Plain]:
        return Box(content=Plain(name="in"), others=[Plain(name="o")])

    @strawberry.field
    def numbers(self) -> Box[int]:
        return Box(content=1, others=[2, 3])

    @strawberry.field(graphql_type=list[int])
    def iterated(self) -> Iterator[int]:
        yield from (1, 2)

    @strawberry.field
    def fails(self, how: str = "value") -> int:
        if how == "wrong":
            return "no number"  # type: ignore[return-value]
        raise ValueError(how)

    @strawberry.field
    async def fails_later(self) -> Plain | None:
        await asyncio.sleep(0)
        raise LookupError("later")

    @strawberry.field(graphql_type=int)
    def awaited(self) -> Awaitable[int]:
        return _later(5)

    @staticmethod
    def _static(info: Info) -> str:
        return f"static {info.context['who']}"

    static: str = strawberry.field(resolver=_static)

    @strawberry.field
    def again(self) -> Query:
        return Query()


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: Info, options: Options) -> list[str]:
        await asyncio.sleep(0)
        info.context["log"].append(options.text)
        return list(info.context["log"])

    @strawberry.mutation
    def forget(self, info: Info) -> int | None:
        info.context["log"].clear()
        raise ValueError("forgotten")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


def schema(**config: Any) -> Any:
    """graphql-core's schema of these types."""
    made = strawberry.Schema(
        Query, Mutation, Subscription, config=StrawberryConfig(**config), types=[Plain, Special]
    )
    return graphql_schema(made)
