"""Variables of one operation, coerced by what was found out about them once.

Scalars that need no change are passed on by their class; the rest goes through graphql-core's
coercion (GraphQL spec, Coercing Variable Values). Only what does not fit is looked at again, to say
why, and those words never quote a value: it may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import print_path_list
from graphql.utilities import coerce_input_value
from graphql.utilities.validate_input_value import validate_input_value

from bff.errors import BadVariables
from bff.plans.run import is_immutable

MAX_VARIABLE_ERRORS = 10
# Where graphql-core begins to quote the value of an input object.
FOUND = re.compile(r",? [fF]ound: ")

INT = range(-(2**31), 2**31)
AS_THEY_ARE: Mapping[Any, Callable[[Any], bool]] = {
    GraphQLString: lambda value: type(value) is str,
    GraphQLID: lambda value: type(value) is str,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLInt: lambda value: type(value) is int and value in INT,
    GraphQLFloat: lambda value: type(value) is float and value - value == 0.0,
}


class _Enough(Exception):
    """So many errors are told; more would only cost."""


class _Unsure(Exception):
    """Something does not fit, or may not: graphql-core says which."""


@dataclass(frozen=True, slots=True)
class _Variable:
    """What is known of one variable; `default` is Undefined where there is none that could be
    shared by all."""

    name: str
    signature: GraphQLVariableSignature
    required: bool
    has_default: bool
    default: Any
    passes: Callable[[Any], bool] | None

    def put(
        self, given: Mapping[str, Any], sources: dict[str, Any], coerced: dict[str, Any]
    ) -> None:
        value = given.get(self.name, Undefined)
        if value is Undefined:
            sources[self.name] = VariableValueSource(self.signature)
            if self.required or (self.has_default and self.default is Undefined):
                raise _Unsure
            if self.has_default:
                coerced[self.name] = self.default
            return
        sources[self.name] = VariableValueSource(self.signature, value)
        if self.passes is None or not self.passes(value):
            value = coerce_input_value(value, self.signature.type)
            if value is Undefined:
                raise _Unsure
        coerced[self.name] = value


class VariableCoercer:
    """Coerces the variables of one operation of one schema."""

    __slots__ = ("_definitions", "_hide_suggestions", "_schema", "_variables")

    def __init__(
        self,
        schema: GraphQLSchema,
        definitions: Sequence[VariableDefinitionNode],
        hide_suggestions: bool,
    ) -> None:
        self._schema = schema
        self._definitions = definitions
        self._hide_suggestions = hide_suggestions
        self._variables = [_variable(schema, node) for node in definitions]

    def coerce(self, given: Mapping[str, Any]) -> VariableValues:
        """Raises BadVariables (BAD_USER_INPUT)."""
        sources: dict[str, Any] = {}
        coerced: dict[str, Any] = {}
        try:
            for one in self._variables:
                if one is None:
                    return self._thoroughly(given)
                one.put(given, sources, coerced)
        except (_Unsure, GraphQLError, RecursionError):
            return self._thoroughly(given)
        return VariableValues(sources, coerced)

    def _thoroughly(self, given: Mapping[str, Any]) -> VariableValues:
        found = get_variable_values(
            self._schema,
            self._definitions,
            dict(given),
            max_errors=MAX_VARIABLE_ERRORS,
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(found, list):
            raise BadVariables(
                "The variables do not fit the operation.",
                errors=self._errors(found, given)[: MAX_VARIABLE_ERRORS + 1],
            )
        return found

    def _errors(
        self, found: Sequence[GraphQLError], given: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """graphql-core's errors, in its order. Those about a value quote it: they are written
        anew, once a variable, from the variable's type."""
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
                messages = self._value_errors(node, given.get(name, Undefined))
                entries += [_located(error, message) for message in messages]
        return entries

    def _value_errors(self, node: VariableDefinitionNode, value: Any) -> list[str]:
        """What does not fit about one variable's value: where, and what was expected there."""
        signature = get_variable_signature(self._schema, node)
        if isinstance(signature, GraphQLError):
            return [signature.message]
        said: list[str] = []

        def on_error(error: GraphQLError, path: list[str | int]) -> None:
            where = f"Variable '${signature.name}' has invalid value{print_path_list(path)}"
            said.append(f"{where}: {_expected(signature.type, value, path, error)}")
            if len(said) == MAX_VARIABLE_ERRORS:
                raise _Enough

        # Each error costs as much as the value is large, and a value may hold thousands.
        with suppress(_Enough):
            validate_input_value(value, signature.type, on_error, self._hide_suggestions)
        return said


def _variable(schema: GraphQLSchema, node: VariableDefinitionNode) -> _Variable | None:
    """None for a type that is none of the schema's: the thorough way says so."""
    signature = get_variable_signature(schema, node)
    name = node.variable.name.value
    if isinstance(signature, GraphQLError):
        return None
    declared = signature.type
    required = isinstance(declared, GraphQLNonNull) and node.default_value is None
    passes = AS_THEY_ARE.get(get_nullable_type(declared))
    default = _default(schema, node) if node.default_value is not None else Undefined
    return _Variable(name, signature, required, node.default_value is not None, default, passes)


def _default(schema: GraphQLSchema, node: VariableDefinitionNode) -> Any:
    """The coerced default, where nobody can change it; Undefined otherwise."""
    found = get_variable_values(schema, [node], {})
    if isinstance(found, list):
        return Undefined
    value = found.coerced.get(node.variable.name.value, Undefined)
    return value if is_immutable(value) else Undefined


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
