"""What a document leans on: every place of a schema it reads, gives or leaves out, with the nodes.

The document must nest within Python's stack. What the schema does not have is passed over; whether
a document is valid is the validator's to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    Node,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
)

Places = defaultdict[str, list[Node]]
Given = GraphQLArgument | GraphQLInputField


def _places() -> Places:
    return defaultdict(list)


@dataclass(slots=True)
class Uses:
    """Nodes of a document by what they lean on; keys are schema coordinates or type names.

    `fields` are read under their very parent type, `reached` also through an interface. `outputs`
    are the enums, unions and interfaces read (`output_types`: as the field has them, wrapped),
    `types` whatever has fields read. `given` are
    arguments, input fields and enum members written out, `nullable` those given by a variable that
    may hold null, `left_out` those that may not be given at all. `inputs` are the types of the
    variables and all that they can hold, `literals` input objects written out. `conditions` are
    fragments' types, `directives` names without `@`, `operations` the kinds of operation.
    `through` are fragments on a union or interface where another one is read, by each type that may
    stand there and is read through them (`place_through`)."""

    operations: Places = field(default_factory=_places)
    fields: Places = field(default_factory=_places)
    reached: Places = field(default_factory=_places)
    types: Places = field(default_factory=_places)
    outputs: Places = field(default_factory=_places)
    output_types: dict[str, list[GraphQLOutputType]] = field(default_factory=dict)
    conditions: Places = field(default_factory=_places)
    through: Places = field(default_factory=_places)
    given: Places = field(default_factory=_places)
    nullable: Places = field(default_factory=_places)
    left_out: Places = field(default_factory=_places)
    inputs: Places = field(default_factory=_places)
    literals: Places = field(default_factory=_places)
    directives: Places = field(default_factory=_places)


def place_through(member: str, abstract: str) -> str:
    """The key of `Uses.through` for a type that is read through a union or interface."""
    return f"{member} as {abstract}"


def uses_of(schema: GraphQLSchema, document: DocumentNode) -> Uses:
    """What every operation and fragment of the document leans on in this schema."""
    reader = _Reader(schema, document)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            reader.operation(node)
        elif isinstance(node, FragmentDefinitionNode):
            reader.fragment(node)
    return reader.uses


class _Reader:
    """Reads the definitions of one document, each by itself. A fragment is taken to see the
    variables of every operation; a registered document has one."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._variables = {
            one.variable.name.value: one
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
            for one in node.variable_definitions or ()
        }
        self._conditions = {
            node.name.value: node.type_condition
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.uses = Uses()

    def operation(self, node: OperationDefinitionNode) -> None:
        self.uses.operations[node.operation.value].append(node)
        for variable in node.variable_definitions or ():
            self._variable(variable)
        self._directives(node)
        self._selections(node.selection_set, self._schema.get_root_type(node.operation))

    def fragment(self, node: FragmentDefinitionNode) -> None:
        name = node.type_condition.name.value
        self.uses.conditions[name].append(node.type_condition)
        self._directives(node)
        self._selections(node.selection_set, self._schema.get_type(name))

    def _variable(self, node: VariableDefinitionNode) -> None:
        wrapped: Any = node.type
        while not hasattr(wrapped, "name"):
            wrapped = wrapped.type
        for name in self._held(self._schema.get_type(wrapped.name.value), set()):
            self.uses.inputs[name].append(node)

    def _held(self, named: GraphQLNamedType | None, seen: set[str]) -> Iterator[str]:
        if named is None or named.name in seen:
            return
        seen.add(named.name)
        yield named.name
        if isinstance(named, GraphQLInputObjectType):
            for one in named.fields.values():
                yield from self._held(get_named_type(one.type), seen)

    def _selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> None:
        if parent is not None:
            self.uses.types[parent.name].append(node)
        for selection in node.selections:
            self._directives(selection)
            if isinstance(selection, FieldNode):
                self._field(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                self._inline(selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                self._through(parent, self._conditions.get(selection.name.value))

    def _inline(self, node: InlineFragmentNode, parent: GraphQLNamedType | None) -> None:
        target = parent
        if node.type_condition is not None:
            name = node.type_condition.name.value
            self.uses.conditions[name].append(node.type_condition)
            target = self._schema.get_type(name)
            self._through(parent, node.type_condition)
        self._selections(node.selection_set, target)

    def _through(self, parent: GraphQLNamedType | None, condition: NamedTypeNode | None) -> None:
        """A fragment on a union or interface: what it selects of a type is lost with membership,
        though the document stays valid for the other members."""
        if condition is None:
            return
        target = self._schema.get_type(condition.name.value)
        if parent is target or not (is_abstract_type(parent) and is_abstract_type(target)):
            return
        read = {one.name for one in self._schema.get_possible_types(target)}
        for one in self._schema.get_possible_types(parent):
            if one.name in read:
                self.uses.through[place_through(one.name, target.name)].append(condition)

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> None:
        declared = _fields(parent).get(node.name.value)
        if parent is None or declared is None:
            return
        self.uses.fields[f"{parent.name}.{node.name.value}"].append(node)
        for owner in self._answering(parent):
            self._reached(f"{owner.name}.{node.name.value}", node, owner)
        named = get_named_type(declared.type)
        if isinstance(named, GraphQLEnumType) or is_abstract_type(named):
            self.uses.outputs[named.name].append(node)
            self.uses.output_types.setdefault(named.name, []).append(declared.type)
        if node.selection_set is not None:
            self._selections(node.selection_set, named)

    def _answering(self, parent: GraphQLNamedType) -> Iterable[GraphQLNamedType]:
        """The types whose own definition of a field may be the one that answers."""
        if not isinstance(parent, GraphQLInterfaceType):
            return (parent,)
        return (parent, *self._schema.get_possible_types(parent))

    def _reached(self, place: str, node: FieldNode, owner: GraphQLNamedType) -> None:
        declared = _fields(owner).get(node.name.value)
        if declared is None:
            return
        self.uses.reached[place].append(node)
        arguments = {f"{place}({name}:)": one for name, one in declared.args.items()}
        written = {f"{place}({one.name.value}:)": one for one in node.arguments or ()}
        self._values(arguments, {key: (one, one.value) for key, one in written.items()}, node)

    def _values(
        self,
        declared: Mapping[str, Given],
        written: Mapping[str, tuple[Node, ValueNode]],
        around: Node,
    ) -> None:
        """Declared arguments or input fields beside what a document writes for them."""
        for place, one in declared.items():
            if place not in written:
                self.uses.left_out[place].append(around)
                continue
            node, value = written[place]
            self.uses.given[place].append(node)
            if isinstance(value, VariableNode):
                self._given_by_variable(place, node, value)
            else:
                self._literal(value, get_named_type(one.type))

    def _given_by_variable(self, place: str, node: Node, value: VariableNode) -> None:
        variable = self._variables.get(value.name.value)
        if variable is None or not isinstance(variable.type, NonNullTypeNode):
            self.uses.nullable[place].append(node)
            if variable is None or variable.default_value is None:
                self.uses.left_out[place].append(node)

    def _literal(self, value: ValueNode, named: GraphQLNamedType) -> None:
        if isinstance(value, ListValueNode):
            for one in value.values:
                self._literal(one, named)
        elif isinstance(value, EnumValueNode):
            self.uses.given[f"{named.name}.{value.value}"].append(value)
        elif isinstance(value, ObjectValueNode) and isinstance(named, GraphQLInputObjectType):
            self.uses.literals[named.name].append(value)
            declared = {f"{named.name}.{name}": one for name, one in named.fields.items()}
            written = {f"{named.name}.{one.name.value}": one for one in value.fields}
            self._values(declared, {key: (one, one.value) for key, one in written.items()}, value)

    def _directives(self, node: Any) -> None:
        for one in node.directives or ():
            self.uses.directives[one.name.value].append(one)
            declared = self._schema.get_directive(one.name.value)
            if declared is None:
                continue
            place = f"@{declared.name}"
            arguments = {f"{place}({name}:)": given for name, given in declared.args.items()}
            written = {f"{place}({each.name.value}:)": each for each in one.arguments or ()}
            self._values(arguments, {key: (a, a.value) for key, a in written.items()}, one)


def _fields(named: GraphQLNamedType | None) -> Mapping[str, GraphQLField]:
    found = getattr(named, "fields", None)
    return found if found and not isinstance(named, GraphQLInputObjectType) else {}
