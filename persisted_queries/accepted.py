"""Whether all that an app sends as variables is still taken: input types judged as JSON, not by
name.

An app sends what its generated code lets it: every value of the types its document declares, by
the schema it was built from. What a service thinks of a value is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLNullableType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLType,
    GraphQLUnionType,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    print_ast,
    type_from_ast,
    visit,
)

from persisted_queries.conditions import CONDITIONAL
from persisted_queries.merged import marks_of

# What input coercion takes beside a type's own values (GraphQL spec 3.5).
WIDER = frozenset({("Int", "Float"), ("Int", "ID"), ("String", "ID")})

KINDS = (
    GraphQLScalarType,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLInterfaceType,
    GraphQLUnionType,
    GraphQLInputObjectType,
)

Variables = dict[str, VariableDefinitionNode]


class Refusal(NamedTuple):
    """What may be refused that an app sends: where in its variables, and why."""

    where: str
    problem: str


@dataclass(slots=True)
class Inputs:
    """Input types of the schema an app was built from, beside those of today."""

    built: GraphQLSchema
    now: GraphQLSchema
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def variables(self, sent: Variables, taken: Variables) -> Iterator[Refusal]:
        """What a document that declares `taken` may refuse of the variables `sent`; one it does
        not declare is ignored by execution."""
        for name, definition in taken.items():
            before = sent.get(name)
            if before is None:
                if not _is_optional(definition):
                    yield Refusal(f"${name}", "is new and required; give it a default")
                continue
            if marks_of(before) != marks_of(definition):
                yield Refusal(f"${name}", "has other directives")
            yield from self._variable(name, before, definition)

    def _variable(
        self, name: str, sent: VariableDefinitionNode, taken: VariableDefinitionNode
    ) -> Iterator[Refusal]:
        then = type_from_ast(self.built, sent.type)
        now = type_from_ast(self.now, taken.type)
        if then is None or now is None:
            yield Refusal(f"${name}", "has a type that its schema does not know")
            return
        if _is_optional(sent) and not _is_optional(taken):
            yield Refusal(f"${name}", f"may be left out, as {print_ast(sent.type)} is required now")
        if is_non_null_type(then) and is_non_null_type(now):
            then, now = then.of_type, now.of_type
        yield from self._narrowed(then, now, f"${name}")

    def _narrowed(self, sent: GraphQLType, taken: GraphQLType, where: str) -> Iterator[Refusal]:
        if is_non_null_type(taken) and not is_non_null_type(sent):
            yield Refusal(where, f"was {sent}, which may be null, and is {taken}")
            return
        inner, outer = _nullable(sent), _nullable(taken)
        if is_list_type(outer):
            # A value that is no list is taken as a list of it.
            item = inner.of_type if is_list_type(inner) else GraphQLNonNull(cast("Any", inner))
            yield from self._narrowed(item, outer.of_type, f"{where}[]")
        elif is_list_type(inner):
            yield Refusal(where, f"was {sent}, a list, and is {taken}")
        else:
            yield from self._named(
                cast("GraphQLNamedType", inner), cast("GraphQLNamedType", outer), where
            )

    def _named(
        self, sent: GraphQLNamedType, taken: GraphQLNamedType, where: str
    ) -> Iterator[Refusal]:
        if (sent.name, taken.name) in self._seen:
            return
        self._seen.add((sent.name, taken.name))
        if isinstance(sent, GraphQLInputObjectType) and isinstance(taken, GraphQLInputObjectType):
            yield from self._objects(sent, taken, where)
        elif isinstance(sent, GraphQLEnumType) and isinstance(taken, GraphQLEnumType):
            gone = sorted(sent.values.keys() - taken.values.keys())
            if gone:
                yield Refusal(where, f"{taken.name} does not take {', '.join(gone)}")
        elif kind(sent) != kind(taken) or not _is_wider(sent.name, taken.name):
            yield Refusal(where, f"was {sent.name}, is {taken.name}")

    def _objects(
        self, sent: GraphQLInputObjectType, taken: GraphQLInputObjectType, where: str
    ) -> Iterator[Refusal]:
        if taken.is_one_of and not sent.is_one_of:
            yield Refusal(where, f"{taken.name} takes one field only (@oneOf)")
        for name, before in sent.fields.items():
            now = taken.fields.get(name)
            if now is None:
                yield Refusal(f"{where}.{name}", f"{taken.name} has no such field")
                continue
            if is_required_input_field(now) and not is_required_input_field(before):
                yield Refusal(f"{where}.{name}", "may be left out, and is required now")
            yield from self._narrowed(before.type, now.type, f"{where}.{name}")
        for name, now in taken.fields.items():
            if name not in sent.fields and is_required_input_field(now):
                yield Refusal(f"{where}.{name}", f"is new in {taken.name} and required")


def kind(found: GraphQLNamedType) -> str:
    """Scalar, enum, object, …: what a type is, whatever class a schema library made it of."""
    for base in KINDS:
        if isinstance(found, base):
            return base.__name__
    raise TypeError(f"{found} is no type of GraphQL")


def other_defaults(
    sent: Variables, taken: Variables, documents: tuple[DocumentNode, DocumentNode]
) -> Iterator[Refusal]:
    """Variables that decide @skip or @include and, left out, decide otherwise now."""
    deciding = _deciding(documents[0]) | _deciding(documents[1])
    for name in sorted(deciding & sent.keys() & taken.keys()):
        before, now = sent[name], taken[name]
        if _is_optional(before) and _default(before) != _default(now):
            yield Refusal(
                f"${name}",
                f"decides @skip or @include; its default was {_default(before) or 'none'}, "
                f"is {_default(now) or 'none'}",
            )


def _deciding(document: DocumentNode) -> set[str]:
    found: set[str] = set()

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            if node.name.value in CONDITIONAL:
                for argument in node.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        found.add(argument.value.name.value)

    visit(document, Conditions())
    return found


def _default(definition: VariableDefinitionNode) -> str | None:
    return print_ast(definition.default_value) if definition.default_value else None


def _is_optional(definition: VariableDefinitionNode) -> bool:
    return definition.default_value is not None or definition.type.kind != "non_null_type"


def _nullable(found: GraphQLType) -> GraphQLNullableType:
    return get_nullable_type(cast("GraphQLNullableType", found))


def _is_wider(sent: str, taken: str) -> bool:
    return sent == taken or (sent, taken) in WIDER
