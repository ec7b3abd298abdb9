"""Executes one registered or validated operation: variables coerced, fields resolved, data ready.

Masking and shaping of errors are the response room's. Batches form in the loaders.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
)
from graphql.execution.values import get_variable_values
from strawberry import Schema

from bff.context import Context
from bff.errors import BadVariables

MAX_VARIABLE_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes the operations of one schema. `hide_suggestions` outside development."""

    schema: GraphQLSchema
    hide_suggestions: bool

    async def execute(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        context: Context,
    ) -> ExecutionResult:
        """Data and located errors. Raises BadVariables (BAD_USER_INPUT) before anything ran."""
        self._check_variables(operation, variables)
        name = operation.name.value if operation.name else None
        result = execute(
            self.schema,
            document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=name,
            hide_suggestions=self.hide_suggestions,
        )
        if inspect.isawaitable(result):
            return await result
        return result

    def _check_variables(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        declared = operation.variable_definitions or ()
        if not declared:
            return
        found = get_variable_values(
            self.schema,
            declared,
            dict(variables),
            max_errors=MAX_VARIABLE_ERRORS,
            hide_suggestions=self.hide_suggestions,
        )
        if isinstance(found, list):
            raise BadVariables(
                "The variables do not fit the operation.",
                errors=[_located(error) for error in found],
            )


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """The graphql-core schema behind a Strawberry one. Strawberry gives it no public name: this
    is the one place that touches it."""
    return schema._schema


def _located(error: GraphQLError) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": error.message}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return entry
