"""Executes one registered or validated operation: variables coerced, fields resolved, data ready.

Masking and shaping of errors are the response room's. Batches form in the loaders.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    execute,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import get_variable_values
from graphql.pyutils import print_path_list
from graphql.utilities.validate_input_value import validate_input_value
from strawberry import Schema

from bff.context import Context
from bff.errors import BadVariables

MAX_VARIABLE_ERRORS = 10
# Where graphql-core begins to quote the value of an input object.
FOUND = re.compile(r",? [fF]ound: ")


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
                errors=self._variable_errors(found, variables)[: MAX_VARIABLE_ERRORS + 1],
            )

    def _variable_errors(
        self, found: Sequence[GraphQLError], variables: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """graphql-core's errors, in its order. Those about a value quote it, and it may be a
        password: they are written anew, once a variable, from the variable's type."""
        entries: list[dict[str, Any]] = []
        quoting: set[str] = set()
        for error in found:
            node = error.nodes[0] if error.nodes else None
            if error.original_error is None or not isinstance(node, VariableDefinitionNode):
                entries.append(_located(error, error.message))
                continue
            name = node.variable.name.value
            if name not in quoting:
                quoting.add(name)
                value = variables.get(name, Undefined)
                messages = self._value_errors(node, value)
                entries += [_located(error, message) for message in messages]
        return entries

    def _value_errors(self, node: VariableDefinitionNode, value: Any) -> list[str]:
        """What does not fit about one variable's value: where, and what was expected there."""
        signature = get_variable_signature(self.schema, node)
        if isinstance(signature, GraphQLError):
            return [signature.message]
        said: list[str] = []

        def on_error(error: GraphQLError, path: list[str | int]) -> None:
            if len(said) < MAX_VARIABLE_ERRORS:
                where = f"Variable '${signature.name}' has invalid value{print_path_list(path)}"
                said.append(f"{where}: {_expected(signature.type, value, path, error)}")

        validate_input_value(value, signature.type, on_error, self.hide_suggestions)
        return said


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """The graphql-core schema behind a Strawberry one. Strawberry gives it no public name: this
    is the one place that touches it."""
    return schema._schema


def _expected(
    declared: GraphQLInputType, value: Any, path: Sequence[str | int], error: GraphQLError
) -> str:
    """The problem at a path without the value. Of a leaf only the type is told, its own words may
    be anything; those of the rest say which field is missing or unknown before they quote."""
    for key in path:
        declared = _inside(declared, key)
        value = value.get(key, Undefined) if isinstance(value, dict) else _item(value, key)
    if value is None or value is Undefined:
        return error.message
    named = get_named_type(declared)
    if is_leaf_type(named):
        return f"Expected value of type '{named}'."
    said = FOUND.split(error.message, maxsplit=1)[0]
    return said if said.endswith((".", "?")) else f"{said}."


def _inside(declared: GraphQLInputType, key: str | int) -> GraphQLInputType:
    """The type of a list's items, or of an input object's field. A value in place of a list of one
    has no index in its path."""
    found: Any = get_nullable_type(declared)
    if isinstance(key, int):
        return cast("GraphQLInputType", found.of_type)
    named = cast("GraphQLInputObjectType", get_named_type(found))
    return cast("GraphQLInputType", named.fields[key].type)


def _item(value: Any, key: str | int) -> Any:
    return value[key] if isinstance(value, list) and isinstance(key, int) else Undefined


def _located(error: GraphQLError, message: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": message}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return entry
