"""The arguments of a Strawberry field, with as much as possible found out before any run.

Literals and defaults are converted once; a variable of a scalar is passed on as it was coerced.
Everything else takes graphql-core's and Strawberry's own way (GraphQL spec, Coercing Field
Arguments).
"""

from __future__ import annotations

from typing import Any

from graphql import (
    ArgumentNode,
    GraphQLArgument,
    GraphQLNonNull,
    Undefined,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.values import VariableValues, coerce_argument
from strawberry.relay import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, _is_leaf_type, convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField

from bff.plans.places import FieldPlan, Place
from bff.plans.run import LazyInfo, Run, is_immutable


class _Slow(Exception):
    """This argument takes the whole way."""


class Arguments:
    """What the resolver of one field is called with."""

    __slots__ = ("_constants", "_converter", "_field", "_plan", "_variables")

    def __init__(
        self, plan: FieldPlan, known: StrawberryField, converter: GraphQLCoreConverter
    ) -> None:
        self._plan = plan
        self._field = known
        self._converter = converter
        self._constants: dict[str, Any] = {}
        # Python name, variable, default (Undefined for none), whether null is refused.
        self._variables: list[tuple[str, str, Any, bool]] | None = None
        variables: list[tuple[str, str, Any, bool]] = []
        try:
            for argument in known.arguments:
                self._foresee(argument, variables)
        except Exception:
            return  # whatever does not fit is found out by every run, and told in its answer
        self._variables = variables

    @property
    def constants(self) -> dict[str, Any] | None:
        """The same for all runs, where no variable is among them."""
        return None if self._variables is None or self._variables else self._constants

    def __call__(self, run: Run, place: Place) -> dict[str, Any]:
        """The arguments of this run by their Python names; raises what graphql-core and Strawberry
        raise."""
        if self._variables is None:
            return self._thoroughly(run, place)
        given = run.variables.coerced
        found = self._constants.copy()
        for name, variable, default, strict in self._variables:
            value = given.get(variable, default)
            if value is Undefined:
                if strict:
                    return self._thoroughly(run, place)
            elif value is None and strict:
                return self._thoroughly(run, place)
            else:
                found[name] = value
        return found

    def _foresee(
        self, argument: StrawberryArgument, variables: list[tuple[str, str, Any, bool]]
    ) -> None:
        name = self._converter.config.name_converter.from_argument(argument)
        definition = self._plan.definition.args[name]
        node = self._node(name)
        if node is None or not _has_variables(node):
            self._constants |= self._constant(argument, name, definition, node)
            return
        called = argument.python_name
        if called is None or not isinstance(node.value, VariableNode):
            raise _Slow
        if not self._passes(argument, definition):
            raise _Slow
        given = self._constant(argument, name, definition, None) if _has_default(definition) else {}
        strict = isinstance(definition.type, GraphQLNonNull)
        default = given.get(called, Undefined)
        variables.append((called, node.value.name.value, default, strict))

    def _node(self, name: str) -> ArgumentNode | None:
        nodes = self._plan.nodes[0].arguments or ()
        return next((node for node in nodes if node.name.value == name), None)

    def _passes(self, argument: StrawberryArgument, definition: GraphQLArgument) -> bool:
        """Whether Strawberry hands the coerced value on as it is."""
        declared = argument.type
        if isinstance(declared, StrawberryMaybe) or definition.out_name:
            return False
        if isinstance(declared, StrawberryOptional):
            declared = declared.of_type
        registry = self._converter.scalar_registry
        return declared is not GlobalID and _is_leaf_type(declared, registry)

    def _constant(
        self,
        argument: StrawberryArgument,
        name: str,
        definition: GraphQLArgument,
        node: ArgumentNode | None,
    ) -> dict[str, Any]:
        """The argument from its literal or default; empty where it has neither."""
        raw: dict[str, Any] = {}
        no_variables = VariableValues({}, {})
        coerce_argument(raw, self._plan.nodes[0], name, definition, node, no_variables, None)
        converted = self._converted(raw, [argument], None)
        if not all(map(is_immutable, converted.values())):
            raise _Slow
        return converted

    def _thoroughly(self, run: Run, place: Place) -> dict[str, Any]:
        known = run.converted.get(self._plan)
        if known is not None:
            return known
        info = LazyInfo(run, place, self._field)
        converted = self._converted(run.arguments(self._plan), self._field.arguments, info)
        if all(map(is_immutable, converted.values())):
            run.converted[self._plan] = converted
        return converted

    def _converted(
        self, raw: dict[str, Any], arguments: list[StrawberryArgument], info: LazyInfo | None
    ) -> dict[str, Any]:
        return convert_arguments(
            raw,
            arguments,
            scalar_registry=self._converter.scalar_registry,
            config=self._converter.config,
            info=info,
        )


def _has_default(definition: GraphQLArgument) -> bool:
    return definition.default is not None or definition.default_value is not Undefined


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, _node: VariableNode, *_: Any) -> None:
        self.found = True


def _has_variables(node: ArgumentNode) -> bool:
    seen = _Variables()
    visit(node, seen)
    return seen.found
