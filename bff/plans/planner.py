"""From a valid operation to its plan, by graphql-core's own field collection.

Merging, aliases, fragments and @skip/@include are therefore exactly those of execution. Fields of
every type a value may have are planned: the plan is what the operation costs at most. Fields that
are no batch fields cost nothing here; a hand-written resolver that calls a service is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_variable_values

from bff.contract import batch_of
from bff.plans.model import Group, Plan, Step, arrange


def plan_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Plan:
    """The plan of one operation for these variables (they decide @skip and @include; others may be
    left out)."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return Plan(())
    walk = _Walk(schema, document, operation, _values(schema, operation, variables))
    fields = walk.root_fields(root)
    if operation.operation is not OperationType.MUTATION:
        return Plan((_group("answer", walk, root, fields),))
    return Plan(tuple(_group(key, walk, root, {key: one}) for key, one in fields.items()))


def _group(name: str, walk: _Walk, root: GraphQLObjectType, fields: GroupedFieldSet) -> Group:
    walk.steps = []
    walk.visit(root, fields, "", None)
    return arrange(name, walk.steps)


def _values(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> VariableValues:
    """The variables that decide what is selected. Ones that are missing or wrong do not matter to
    a plan; a Boolean without a value counts as true, so that nothing is planned too small."""
    found = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    coerced = {} if isinstance(found, list) else dict(found.coerced)
    for definition in operation.variable_definitions or ():
        coerced.setdefault(definition.variable.name.value, True)
    return VariableValues({}, coerced)


@dataclass
class _Walk:
    """One walk through an operation; `steps` in the order of the answer."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    values: VariableValues
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fragments = {
            node.name.value: FragmentDetails(node)
            for node in self.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def root_fields(self, root: GraphQLObjectType) -> GroupedFieldSet:
        found = collect_fields(self.schema, self.fragments, self.values, root, self.operation)
        return found.grouped_field_set

    def visit(
        self, parent: GraphQLObjectType, fields: GroupedFieldSet, path: str, feeder: Step | None
    ) -> None:
        """Every batch field below, each with the step that feeds it."""
        for key, details in fields.items():
            definition = self.schema.get_field(parent, details[0].node.name.value)
            if definition is None:
                continue
            here = f"{path}.{key}" if path else key
            batch = batch_of(definition)
            fed_by = feeder
            if batch is not None:
                fed_by = Step(f"{here} ({parent.name})", batch, feeder)
                self.steps.append(fed_by)
            self._below(definition.type, details, here + _brackets(definition.type), fed_by)

    def _below(
        self,
        output: GraphQLOutputType,
        details: FieldDetailsList,
        path: str,
        feeder: Step | None,
    ) -> None:
        named = get_named_type(output)
        if is_abstract_type(named):
            types = self.schema.get_possible_types(named)
        elif isinstance(named, GraphQLObjectType):
            types = [named]
        else:
            return
        for one in types:
            found = collect_subfields(
                self.schema, self.fragments, self.values, self.operation, one, details
            )
            self.visit(one, found.grouped_field_set, path, feeder)


def _brackets(output: GraphQLOutputType) -> str:
    """`[]` for each list around a type."""
    shown = ""
    while isinstance(output, GraphQLNonNull | GraphQLList):
        shown += "[]" if isinstance(output, GraphQLList) else ""
        output = output.of_type
    return shown
