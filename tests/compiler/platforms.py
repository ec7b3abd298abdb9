"""Random operations on the platforms' own schemas, over services that answer at random.

Everything between the executor and the bytes is real: resolvers, batch fields, loaders, calls,
records. Only the transport is not: it answers each key by the seed alone, whoever asks together.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values

from bff.context import Context
from bff.fence import FREE, Fence
from bff.plans.compiler import NotCompiled
from bff.plans.execute import Executed, Executor, graphql_schema
from bff.upstreams.method import Method
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure, TransportTimeout
from tests.compiler.answers import Answer, Told, typed
from tests.compiler.fuzz.compare import Verdict, compare
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.documents import Document, Inputs, Writer
from tests.unit.bff.upstreams.fakes import VIEWER, answer, arrival, caller, problem

PLATFORMS = ("ios", "android", "web")
UPSTREAMS = ("accounts", "content", "notifications")
INSTANTS = ("2026-11-20T08:00:00.000Z", "2025-01-02T23:59:59.999Z")
WORDS = ("", "plain", "zwölf \u2028 ‘words’", "x" * 40, "en-GB")
IDS = ("a1", "a2", "a3", "a4", "a5")
NUMBERS = (0, 1, 7, 1200, 2**31 - 1, 2**31)
# Mostly what resolvers take: sizes of pages and images.
INPUTS = Inputs(
    {"Int": (1, 2, 3, 5, 8, 10, 0), "String": ("x", "y"), "ID": IDS, "Boolean": (True, False)}
)
FAILURES = (
    TransportTimeout("no answer"),
    TransportFailure("no connection"),
    problem(503, "UPSTREAM_UNAVAILABLE"),
    problem(404, "NOT_FOUND"),
    answer({"nothing": "expected"}),
)


def _methods() -> dict[str, list[tuple[re.Pattern[str], Method[Any]]]]:
    """Every upstream method, by verb, with the pattern of its path."""
    found: dict[str, list[tuple[re.Pattern[str], Method[Any]]]] = {}
    for name in UPSTREAMS:
        for one in vars(import_module(f"bff.upstreams.{name}")).values():
            if isinstance(one, Method):
                pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", one.path))
                found.setdefault(one.verb, []).append((pattern, one))
    return found


METHODS = _methods()


class Services:
    """A transport whose services answer by a seed; equal keys have equal answers."""

    def __init__(self, seed: int, failures: float) -> None:
        self._seed = seed
        self._failures = failures
        self.asked: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    async def send(self, call: Outgoing) -> Incoming:
        parts = urlsplit(call.url)
        method = next(
            method
            for pattern, method in METHODS[call.verb]
            if method.service in parts.netloc and pattern.fullmatch(parts.path)
        )
        self.calls[method.label] += 1
        for _ in range(Dice(self._seed, method.label, "turns").below(5)):
            await asyncio.sleep(0)
        dice = Dice(self._seed, method.label, "fails")
        if dice.chance(self._failures):
            failure = dice.pick(FAILURES)
            if isinstance(failure, Exception):
                raise failure
            return cast("Incoming", failure)
        body = json.loads(call.body) if call.body else {}
        found = self._answer(method, parts.path, parts.query, body)
        return Incoming(200, "application/json", msgspec.json.encode(found))

    async def close(self) -> None:
        """Nothing to close."""

    def _answer(self, method: Method[Any], path: str, query: str, body: Any) -> Any:
        keys = body.get("ids") or [json.dumps(one) for one in body.get("threads", ())]
        if not path.endswith("/batch"):
            # How many were asked for together is nobody's affair.
            asked = re.sub(r"first=\d+", "", query) if method.name == "continue" else query
            self.asked[f"{method.label} {path} {asked}"] += 1
            return self._record(method.answer, (method.label, path, asked))
        (listed,) = msgspec.structs.fields(method.answer)
        self.asked.update(f"{method.label} {key}" for key in keys)
        several = [
            self._keyed(listed.type.__args__[0], key, method.label)
            for key in dict.fromkeys(keys)
            if not Dice(self._seed, method.label, key, "gone").chance(0.1)
        ]
        return method.answer(several)

    def _keyed(self, kind: Any, key: str, label: str) -> Any:
        """The record of a key, which names it."""
        found = self._value(kind, label, (label, key))
        named = json.loads(key)["item_id"] if key.startswith("{") else key
        name = "id" if "id" in found.__struct_fields__ else "item_id"
        return msgspec.structs.replace(found, **{name: named})

    def _record(self, kind: type[msgspec.Struct], place: tuple[object, ...]) -> Any:
        given = {
            one.name: self._value(one.type, one.name, (*place, one.name))
            for one in msgspec.structs.fields(kind)
        }
        return kind(**given)

    def _value(self, kind: Any, name: str, place: tuple[object, ...]) -> Any:
        dice = Dice(self._seed, place)
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            return self._value(dice.pick(get_args(kind)), name, (*place, "one of"))
        if origin is Literal:
            return dice.pick(get_args(kind))
        if origin is list:
            inner = get_args(kind)[0]
            return [self._value(inner, name, (*place, at)) for at in range(dice.below(4))]
        if kind is type(None):
            return None
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._record(kind, place)
        return _plain(kind, name, dice)


def _plain(kind: Any, name: str, dice: Dice) -> Any:
    if kind is str:
        if name.endswith("_at"):
            return dice.pick(INSTANTS)
        return dice.pick(IDS if name == "id" or "_id" in name else WORDS)
    values: Mapping[type, tuple[Any, ...]] = {
        int: NUMBERS if dice.chance(0.1) else NUMBERS[:4],
        float: (0.0, 0.5, 1.0),
        bool: (True, False),
    }
    return dice.pick(values[kind])


@dataclass(frozen=True)
class Prepared:
    """A registered operation."""

    document_hash: str
    document: DocumentNode
    registered: bool = True
    name: str | None = "Asked"

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        operation = self.document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        return self.document, operation


@dataclass(frozen=True)
class Asked:
    """One operation with its variables, and how to have it again."""

    prepared: Prepared
    variables: dict[str, Any]
    mutation: bool
    said: str


class Platform:
    """One platform's schema, executed both ways."""

    def __init__(self, name: str) -> None:
        self.name = name
        module = import_module(f"schema.{name}.root")
        self.schema: GraphQLSchema = graphql_schema(module.schema)
        self.compiled = Executor(self.schema, hide_suggestions=False, stretch=40, mode="compiled")
        self.generic = Executor(self.schema, hide_suggestions=False, stretch=40, mode="generic")
        self.answered: Executed | None = None

    def operations(
        self, seed: int, rounds: int, built: GraphQLSchema | None = None
    ) -> Iterator[Asked]:
        """A document of a seed, with several variables; of a build with an older schema, one that
        names the type of every object."""
        mutation = seed % 5 == 0
        dice = Dice(self.name, seed)
        writer = Writer(built or self.schema, dice, INPUTS, breadth=4, introspects=False)
        document: Document = writer.document(mutation)
        parsed = parse(document.text)
        if validate(self.schema, parsed):
            return
        prepared = Prepared(f"{self.name}{seed}", named(parsed) if built else parsed)
        for round_ in range(rounds):
            variables = document.assignments(Dice(self.name, seed, round_))
            said = f"{self.name}, seed {seed}, round {round_}"
            yield Asked(prepared, variables, mutation, said)

    async def differs(
        self, asked: Asked, seed: int, tally: Counter[str], fenced: Fence = FREE
    ) -> str | None:
        """One operation executed both ways; what is wrong, if anything."""
        failures = (0, 0, 0.05, 0.2)[seed % 4]
        expected, core = Services(seed, failures), Services(seed, failures)
        taken = self._compile(asked, fenced)
        generic = await _execute(self.generic, asked, expected, seed, fenced)
        compiled = await _execute(self.compiled, asked, core, seed, fenced)
        self.answered = compiled
        if compiled.plan != taken:
            return f"{asked.said}: not compiled, {compiled.plan}"
        verdict = compare(_answer(generic), _answer(compiled))
        tally[verdict.value] += 1
        tally["with errors"] += bool(generic.errors)
        tally["calls of graphql-core"] += expected.calls.total()
        tally["calls of compiled plans"] += core.calls.total()
        if not verdict.allowed:
            return f"{asked.said}: {verdict.value}: {_difference(generic, compiled)}"
        if generic.withheld != compiled.withheld:
            return f"{asked.said}: withheld {compiled.withheld}, not {generic.withheld}"
        # A fence may take errors out of the answer: then there is no telling.
        quiet = not generic.errors and not (failures and any(generic.withheld))
        if quiet and (wrong := _calls_differ(expected, core)):
            return f"{asked.said}: {wrong}"
        return None

    async def unfenced(self, asked: Asked, seed: int) -> Executed:
        """What the same operation is answered without a fence."""
        return await _execute(self.compiled, asked, Services(seed, 0), seed)

    def _compile(self, asked: Asked, fenced: Fence) -> str:
        """How the operation will be executed."""
        _, operation = asked.prepared.parsed()
        definitions = operation.variable_definitions or ()
        values = get_variable_values(self.schema, definitions, asked.variables)
        assert not isinstance(values, list), f"{asked.said}: {values}"
        try:
            touched = self.compiled.touched(asked.prepared, fenced)
            self.compiled.compile(asked.prepared, values.coerced, touched)
        except NotCompiled as reason:
            # Of these only a null for @skip or @include is not taken.
            return f"generic({reason})" if str(reason) == "selection in error" else "compiled"
        return "compiled"


def named(document: DocumentNode) -> DocumentNode:
    """The document with `__typename` beside every field, as code generators write it."""
    found: DocumentNode = visit(document, _Naming())
    return found


class _Naming(Visitor):
    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        typename = FieldNode(name=NameNode(value="__typename"))
        return replace(node, selections=(typename, *node.selections))


async def _execute(
    executor: Executor, asked: Asked, services: Services, seed: int, fenced: Fence = FREE
) -> Executed:
    who = VIEWER if seed % 7 else None
    context = Context(arrival(60_000), caller(services, who, 60_000), lambda *_: None)
    found = await executor.execute(asked.prepared, asked.variables, context, fenced)
    for _ in range(12):
        await asyncio.sleep(0)
    return found


def _answer(found: Executed) -> Answer:
    errors = tuple(map(Told.of, found.errors))
    return Answer(found.data, typed(found.data), errors, waited=True)


def _difference(generic: Executed, compiled: Executed) -> str:
    if typed(generic.data) != typed(compiled.data):
        return f"{compiled.data}, not {generic.data}"
    missing = Counter(map(Told.of, generic.errors)) - Counter(map(Told.of, compiled.errors))
    added = Counter(map(Told.of, compiled.errors)) - Counter(map(Told.of, generic.errors))
    return f"errors missing {list(missing)[:3]}, added {list(added)[:3]}"


def _calls_differ(generic: Services, compiled: Services) -> str:
    """Compiled plans ask for the same keys, each once, in no more calls."""
    if generic.asked.keys() != compiled.asked.keys():
        return f"asked for {compiled.asked}, not {generic.asked}"
    repeated = [key for key, times in compiled.asked.items() if times > generic.asked[key]]
    if repeated:
        return f"asked again for {repeated}"
    more = compiled.calls - generic.calls
    return f"more calls than graphql-core: {more}" if more else ""


__all__ = ["PLATFORMS", "Platform", "Verdict"]
