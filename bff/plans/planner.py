"""What an operation costs at most, without running it: its compiled plan with the most selected.

A variable that skips one field and includes another is taken as at the first of them. Fields of
every type a value may have are planned. Fields that are no batch fields cost nothing here; a
hand-written resolver that calls a service is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues

from bff.plans.compiler import CompiledPlan, Subject, compile_operation
from bff.plans.counters import Counters
from bff.plans.execute import fragments_of
from bff.plans.store import read_directives


def compile_alone(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> CompiledPlan:
    """The compiled plan of one operation for these variables (they decide @skip and @include;
    others may be left out), kept nowhere. Raises NotCompiled."""
    fragments = fragments_of(document)
    values = _values(operation, fragments, variables)
    subject = Subject(schema, operation, fragments, values, default_field_resolver)
    return compile_operation(subject, Counters())


def _values(
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> VariableValues:
    """The variables that decide what is selected: as given, else so that the most is. Defaults do
    not decide: an app may send another value."""
    most = read_directives(operation, fragments).most
    return VariableValues({}, {**most, **variables})
