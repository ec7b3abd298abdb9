"""What an operation costs at most, without running it: its compiled plan with everything included.

Fields of every type a value may have are planned. Fields that are no batch fields cost nothing
here; a hand-written resolver that calls a service is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues, get_variable_values

from bff.plans.compiler import CompiledPlan, Subject, compile_operation
from bff.plans.counters import Counters
from bff.plans.execute import fragments_of
from bff.plans.model import Plan


def plan_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Plan:
    """The plan of one operation for these variables (they decide @skip and @include; others may be
    left out). Raises NotCompiled."""
    return compile_alone(schema, document, operation, variables).plan


def compile_alone(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> CompiledPlan:
    """The same with the generated source, for whoever wants to look at it. Raises NotCompiled."""
    values = _values(schema, operation, variables)
    subject = Subject(schema, operation, fragments_of(document), values, default_field_resolver)
    return compile_operation(subject, Counters())


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
