"""Promises of bff/contract: batch fields, records, and what is read off a document."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pytest
import strawberry
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    parse,
    validate,
)

from bff.contract import (
    AlwaysAllowed,
    BatchField,
    OperationFacts,
    Scope,
    Screen,
    batch_field,
    batch_of,
    describe,
    record,
    records_of,
)
from bff.plans.execute import graphql_schema


class ThingByIdLoader:
    scope: ClassVar[Scope] = Scope.SHARED


class MineByIdLoader:
    scope: ClassVar[Scope] = Scope.VIEWER


@dataclass
class Context:
    """Answers every key with a thing of that name, and remembers who was asked for what."""

    asked: list[tuple[type, Any]] = field(default_factory=list)
    viewer: str = "ada"

    def load(self, loader: Any, key: Any) -> Awaitable[Any]:
        self.asked.append((loader, key))

        async def answer() -> ThingRecord | None:
            return None if key == "gone" else ThingRecord(str(key))

        return answer()


class ThingRecord:
    def __init__(self, name: str) -> None:
        self.name = name
        self.friend_id: str | None = None if name == "lonely" else f"friend of {name}"
        self.member_ids = ["a", "gone", "b"]


class OtherRecord(ThingRecord):
    pass


Info = strawberry.Info[Context, None]


def _paged(root: ThingRecord, first: int = 3, after: str | None = None) -> str:
    return f"{root.name}/{first}/{after}"


def _for_viewer(root: object, info: Info) -> str:
    return info.context.viewer


def _asked_of_viewer(root: object, info: Info, word: str) -> str:
    return f"{info.context.viewer} {word}"


def _never(root: object) -> None:
    return None


def _secret(info: Info) -> str:
    return info.context.viewer


async def _slow() -> str:
    return "slow"


@strawberry.interface
class Named:
    name: str
    shouted: str = strawberry.field(resolver=lambda root: root.name.upper())
    whispered: str = strawberry.field(resolver=_secret)
    nickname: str = strawberry.field(resolver=lambda root: root.name[:2])


@strawberry.type
@record(ThingRecord)
class Thing(Named):
    nickname: str = strawberry.field(resolver=_secret)
    friend: "Thing | None" = batch_field(ThingByIdLoader, "friend_id")
    members: list["Thing | None"] | None = batch_field(ThingByIdLoader, "member_ids")
    page: "Thing | None" = batch_field(ThingByIdLoader, _paged)
    mine: "Thing | None" = batch_field(MineByIdLoader, "name")
    asked: "Thing | None" = batch_field(ThingByIdLoader, _asked_of_viewer)


@strawberry.type
class Other:
    other: str


Either = Annotated[Thing | Other, strawberry.union("Either")]


@strawberry.type
class Home:
    thing: Thing | None = batch_field(ThingByIdLoader, lambda root: "thing")
    either: Either | None = batch_field(ThingByIdLoader, lambda root: "either")
    viewer: Thing | None = batch_field(ThingByIdLoader, _for_viewer)
    nothing: Thing | None = batch_field(ThingByIdLoader, _never)
    slow: str = strawberry.field(resolver=_slow)


@strawberry.type
class Query:
    home: Home = strawberry.field(resolver=lambda: Home(), directives=[Screen()])
    help: Home = strawberry.field(resolver=lambda: Home(), directives=[Screen(), AlwaysAllowed()])
    ping: str = strawberry.field(resolver=lambda: "pong", directives=[AlwaysAllowed()])


def _leave() -> str:
    return "left"


@strawberry.type
class Mutation:
    leave = strawberry.mutation(_leave, directives=[AlwaysAllowed()])


schema = strawberry.Schema(Query, Mutation)


def core() -> GraphQLSchema:
    return graphql_schema(schema)


def thing_fields() -> dict[str, GraphQLField]:
    found = core().type_map["Thing"]
    assert isinstance(found, GraphQLObjectType)
    return dict(found.fields)


async def answer(text: str) -> tuple[dict[str, Any], Context]:
    context = Context()
    result = await schema.execute(text, context_value=context)
    assert result.errors is None
    assert result.data is not None
    return result.data, context


def facts(text: str) -> OperationFacts:
    document = parse(text)
    assert validate(core(), document) == []
    (found,) = describe(core(), document)
    return found


async def test_key_is_an_attribute() -> None:
    """A batch field named by an attribute asks its loader for the attribute's value."""
    data, context = await answer("{ home { thing { friend { name } } } }")
    assert data == {"home": {"thing": {"friend": {"name": "friend of thing"}}}}
    assert context.asked[-1] == (ThingByIdLoader, "friend of thing")


async def test_key_function_gets_arguments() -> None:
    """A key function's other parameters are the field's arguments, its defaults theirs."""
    data, _ = await answer(
        '{ home { thing { page { name } other: page(first: 1, after: "x") { name } } } }'
    )
    assert data["home"]["thing"] == {
        "page": {"name": "thing/3/None"},
        "other": {"name": "thing/1/x"},
    }


async def test_null_argument_is_none() -> None:
    """An argument given as null reaches the key function as None, as one left out does."""
    data, _ = await answer("{ home { thing { page(after: null) { name } } } }")
    assert data["home"]["thing"]["page"]["name"] == "thing/3/None"


def test_optional_arguments_print_bare() -> None:
    """An argument that may be left out has no `= null` in the SDL; info is no argument."""
    text = schema.as_str()
    assert "page(first: Int! = 3, after: String): Thing" in text
    assert "viewer: Thing\n" in text
    assert "asked(word: String!): Thing" in text


async def test_key_function_may_want_info() -> None:
    """A key function with an `info` parameter sees who asks, beside the arguments."""
    data, _ = await answer('{ home { viewer { name asked(word: "hi") { name } } } }')
    assert data["home"]["viewer"] == {"name": "ada", "asked": {"name": "ada hi"}}


async def test_list_of_keys_makes_a_list() -> None:
    """A list of keys is asked for key by key; what is not found is null in its place."""
    data, context = await answer("{ home { thing { members { name } } } }")
    assert data["home"]["thing"]["members"] == [{"name": "a"}, None, {"name": "b"}]
    assert [key for _, key in context.asked] == ["thing", "a", "gone", "b"]


async def test_no_key_asks_nobody() -> None:
    """Without a key the field is null and no loader is asked, from function and attribute alike."""
    data, context = await answer("{ home { nothing { name } } }")
    assert data == {"home": {"nothing": None}}
    assert context.asked == []
    lonely = ThingRecord("lonely")
    declared = batch_of(thing_fields()["friend"])
    assert declared is not None
    assert declared.key(lonely) is None


def test_key_without_a_record_is_refused() -> None:
    """A key function that takes no record is a mistake, told when it is declared."""
    with pytest.raises(TypeError, match="one parameter at least"):
        batch_field(ThingByIdLoader, lambda: "x")


def test_declaration_is_read_back() -> None:
    """The gateway finds loader, key and dependence on info behind a field of the schema."""
    fields = thing_fields()
    declared = batch_of(fields["mine"])
    assert declared == BatchField(MineByIdLoader, declared.key, wants_info=False)  # type: ignore[union-attr]
    assert declared.key(ThingRecord("x")) == "x"
    assert batch_of(fields["asked"]).wants_info  # type: ignore[union-attr]
    assert batch_of(fields["name"]) is None
    assert batch_of(None) is None


def test_scope_and_info_decide_public() -> None:
    """A batch field is public only through a shared loader and with a key nobody's name is in."""
    fields = thing_fields()
    public = {name for name, one in fields.items() if (b := batch_of(one)) and b.public}
    assert public == {"friend", "members", "page"}


def test_record_knows_its_type() -> None:
    """`@record` tells a type's record classes, and whether a value, subclasses included, is one."""
    assert records_of(Thing) == (ThingRecord,)
    assert records_of(Other) == ()
    is_type_of: Any = Thing.is_type_of  # type: ignore[attr-defined]
    assert is_type_of(OtherRecord("x"), None)
    assert not is_type_of(object(), None)


@pytest.mark.parametrize(
    "text",
    [
        "{ home { thing { name shouted friend { name } members { name } page { name } } } }",
        "{ home { thing { __typename } } __typename }",
        "{ __schema { queryType { name } } }",
        "{ home { either { ... on Thing { page(first: 2) { name } } ... on Other { other } } } }",
        "{ ...R } fragment R on Query { home { thing { ...T } } } fragment T on Thing { name }",
    ],
)
def test_plain_and_shared_is_public(text: str) -> None:
    """Plain attributes, resolvers of the value alone and shared loaders prove a document public."""
    assert facts(text).public


@pytest.mark.parametrize(
    "text",
    [
        "{ home { thing { mine { name } } } }",
        "{ home { viewer { name } } }",
        '{ home { thing { asked(word: "x") { name } } } }',
        "{ home { thing { whispered } } }",
        "{ home { thing { ... on Named { whispered } } } }",
        "{ home { thing { ... on Named { nickname } } } }",
        "{ home { slow } }",
        "{ home { thing { friend { ... { friend { mine { name } } } } } } }",
        "{ home { either { ... on Thing { mine { name } } } } }",
        "{ home { ...H } } fragment H on Home { thing { ...T } } "
        "fragment T on Thing { mine { name } }",
        "query ($no: Boolean! = false) { home { viewer @include(if: $no) { name } } }",
        "mutation { leave }",
    ],
    ids=[
        "viewer scope",
        "key with info",
        "key with info and argument",
        "resolver with info",
        "resolver with info on an interface",
        "resolver with info in place of an interface's",
        "async resolver",
        "below inline fragment without type",
        "in a union member",
        "in nested named fragments",
        "left out at run time only",
        "mutation",
    ],
)
def test_any_private_field_makes_private(text: str) -> None:
    """One field that may know who asks makes the document private, wherever it hides."""
    assert not facts(text).public


def test_fragment_counts_at_both_depths() -> None:
    """A fragment used at the root and below is walked for both: its root fields are not lost."""
    text = "{ ...R } fragment R on Query { home { thing { name } } ping }"
    assert set(facts(text).root_fields) == {"home", "ping"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ home { thing { name } } }", "home"),
        ("{ mine: home { thing { name } } home { slow } }", "home"),
        ("{ home { slow } ping }", "home"),
        ("{ ... on Query { help { slow } } }", "help"),
        ("{ home { slow } help { slow } }", None),
        ("{ ping }", None),
        ("{ __typename }", None),
    ],
)
def test_screen_is_the_only_one(text: str, expected: str | None) -> None:
    """A document is of the one screen among its root fields; of none when there are two."""
    assert facts(text).screen == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ ping }", True),
        ("{ ping help { slow } }", True),
        ("{ ping home { slow } }", False),
        ("{ ...R } fragment R on Query { ping home { slow } }", False),
        ("mutation { leave }", True),
        ("{ __typename }", False),
    ],
)
def test_always_allowed_needs_every_root(text: str, expected: bool) -> None:
    """A document is always allowed only if every root field is."""
    assert facts(text).always_allowed is expected


def test_operations_are_told_apart() -> None:
    """Each operation is described in its place, whatever its neighbours in the document ask."""
    document = parse("query A { ping } fragment F on Query { ping } query B { help { slow } ...F }")
    first, second = describe(core(), document)
    assert (first.root_fields, first.public) == (("ping",), True)
    assert (second.root_fields, second.public) == (("help", "ping"), False)


def test_shared_fragment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Describing takes work by the size of the text: neither the operations that spread a fragment
    nor the types behind an interface's field multiply it."""
    read: list[str] = []

    def counting(parent: Any, name: str) -> GraphQLField | None:
        read.append(name)
        found: GraphQLField | None = parent.fields.get(name)
        return found

    fields = "name shouted " * 100
    text = f"fragment F on Query {{ home {{ thing {{ ... on Named {{ {fields} }} }} }} }}"
    document = parse(" ".join(f"query Q{n} {{ ...F }}" for n in range(100)) + text)
    describe(core(), document)  # what the schema alone decides is known from here on
    monkeypatch.setattr("bff.contract.facts._definition", counting)
    found = describe(core(), document)
    assert all(one.public and one.root_fields == ("home",) for one in found)
    assert len(read) == 202


async def test_batch_fields_run_side_by_side() -> None:
    """On the generic path sibling batch fields are all asked before any of them is awaited."""
    asked: list[str] = []
    both, release = asyncio.Event(), asyncio.Event()

    class Held(Context):
        def load(self, loader: Any, key: Any) -> Awaitable[Any]:
            asked.append(str(key))
            if len(asked) == 2:
                both.set()

            async def wait() -> ThingRecord:
                await release.wait()
                return ThingRecord(str(key))

            return wait()

    query = "{ home { thing { name } viewer { name } } }"
    running = asyncio.create_task(schema.execute(query, context_value=Held()))
    await asyncio.wait_for(both.wait(), timeout=10)
    release.set()
    assert (await running).errors is None
    assert asked == ["thing", "ada"]
