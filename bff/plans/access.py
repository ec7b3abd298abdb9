"""How the raw value of a field is obtained: an attribute, a key for a wave, a resolver's call.

Strawberry's own wrapping is left out only where it is known to do nothing more; any other field
keeps the resolver the schema gave it, permissions and extensions included.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import strawberry
from graphql import GraphQLSchema
from graphql.execution.executor import default_field_resolver
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from bff.contract import BatchField, batch_of, strawberry_field
from bff.plans.arguments import Arguments
from bff.plans.places import FieldPlan
from bff.plans.run import LazyInfo

BASIC = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
WRAPPED = "GraphQLCoreConverter.from_resolver.<locals>."

Kind = Literal["value", "default", "batch"]


@dataclass(frozen=True, slots=True)
class Access:
    """`text` is an expression over `s` (the source), `r` (the run) and `q` (the place of the
    field). `value`: it is the field's raw value. `default`: so too, but a function there is called
    (graphql-core's default resolver). `batch`: it is the key, or a list of keys."""

    kind: Kind
    text: str
    names: dict[str, Any] = field(default_factory=dict)
    batch: BatchField | None = None
    takes_arguments: bool = False

    @property
    def needs_place(self) -> bool:
        return "q" in self.text.replace(",", " ").replace(")", " ").replace("(", " ").split()


def access(plan: FieldPlan, schema: GraphQLSchema, field_resolver: Any, number: int) -> Access:
    """The access of one field; `number` makes its names its own."""
    resolver = plan.definition.resolve
    if resolver is None:
        return _unresolved(plan, field_resolver, number)
    known = strawberry_field(plan.definition)
    if known is not None and type(known) is StrawberryField and not known.extensions:
        found = _strawberry(plan, known, schema, resolver, number)
        if found is not None:
            return found
    return _graphql(plan, resolver, number)


def _graphql(plan: FieldPlan, resolver: Callable[..., Any], number: int) -> Access:
    """Any other resolver, with graphql-core's info and arguments."""
    name = f"resolve{number}"
    arguments = f", **r.arguments(F{number})" if plan.definition.args else ""
    return Access("value", f"{name}(s, r.info(q){arguments})", {name: resolver})


def _unresolved(plan: FieldPlan, field_resolver: Any, number: int) -> Access:
    if field_resolver is not default_field_resolver:
        return _graphql(plan, field_resolver, number)
    name = repr(plan.name)
    return Access(
        "default",
        f"s.get({name}) if m else getattr(s, {name}, None)",
        takes_arguments=bool(plan.definition.args),
    )


def _strawberry(
    plan: FieldPlan,
    known: StrawberryField,
    schema: GraphQLSchema,
    resolver: Callable[..., Any],
    number: int,
) -> Access | None:
    """The access behind Strawberry's wrapper; None where the wrapper does more than call."""
    written = getattr(resolver, "__qualname__", "")
    if written == BASIC:
        return _attribute(known)
    if not written.startswith(WRAPPED) or known.base_resolver is None:
        return None
    converter = _converter(schema)
    if converter is None or _handles_exceptions(resolver):
        return None
    arguments = Arguments(plan, known, converter) if known.arguments else None
    batch = batch_of(plan.definition)
    if batch is not None:
        return _batch(batch, known, arguments, number)
    return _call(known.base_resolver, known, arguments, number)


def _attribute(known: StrawberryField) -> Access | None:
    name = known.python_name
    if known.default_resolver is not getattr or not _is_name(name):
        return None
    return Access("value", f"s.{name}")


def _is_name(name: str) -> bool:
    """Only these enter generated text as they are."""
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name)


def _converter(schema: GraphQLSchema) -> GraphQLCoreConverter | None:
    behind = getattr(schema, "_strawberry_schema", None)
    converter = getattr(behind, "schema_converter", None)
    if not isinstance(converter, GraphQLCoreConverter):
        return None
    return converter if converter.config.info_class is strawberry.Info else None


def _handles_exceptions(resolver: Callable[..., Any]) -> bool:
    """Whether handlers of exceptions were set up for the field; unknown counts as yes."""
    names: tuple[str, ...] = getattr(getattr(resolver, "__code__", None), "co_freevars", ())
    cells = getattr(resolver, "__closure__", None) or ()
    free = {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}
    return bool(free.get("field_exception_handlers", True))


def _batch(
    batch: BatchField,
    known: StrawberryField,
    arguments: Arguments | None,
    number: int,
) -> Access:
    attribute = getattr(batch.key, "attribute", None)
    if isinstance(attribute, str) and _is_name(attribute):
        return Access("batch", f"s.{attribute}", batch=batch)
    key = f"key{number}"
    names: dict[str, Any] = {key: batch.key}
    parts = ["s"]
    if batch.wants_info:
        names |= {"LazyInfo": LazyInfo, f"S{number}": known}
        parts.append(f"info=LazyInfo(r, q, S{number})")
    parts += _given(arguments, names, number)
    return Access("batch", f"{key}({', '.join(parts)})", names, batch)


def _call(
    resolver: StrawberryResolver[Any],
    known: StrawberryField,
    arguments: Arguments | None,
    number: int,
) -> Access | None:
    """The resolver's own function with what Strawberry would pass."""
    function: Any = resolver.wrapped_func
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        function = resolver
    call = f"call{number}"
    names: dict[str, Any] = {call: function}
    parts = ["s"] if resolver.self_parameter else []
    reserved = [(resolver.parent_parameter, "s"), (resolver.root_parameter, "s")]
    if resolver.info_parameter:
        names |= {"LazyInfo": LazyInfo, f"S{number}": known}
        reserved.append((resolver.info_parameter, f"LazyInfo(r, q, S{number})"))
    taken = [parameter.name for parameter, _ in reserved if parameter]
    if len(set(taken)) != len(taken) or not all(_is_name(name) for name in taken):
        return None
    parts += [f"{parameter.name}={text}" for parameter, text in reserved if parameter]
    parts += _given(arguments, names, number)
    return Access("value", f"{call}({', '.join(parts)})", names)


def _given(arguments: Arguments | None, names: dict[str, Any], number: int) -> list[str]:
    """The arguments as they stand in a call: each by itself where they are known by now."""
    given = f"given{number}"
    if arguments is None:
        return []
    constants = arguments.constants
    if constants is None or not all(_is_name(name) for name in constants):
        names[given] = arguments
        return [f"**{given}(r, q)"]
    names |= {f"{given}_{name}": value for name, value in constants.items()}
    return [f"{name}={given}_{name}" for name in constants]
