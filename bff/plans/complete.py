"""Completes the values a generated function does not take at a glance, just as graphql-core does.

Null, errors as values, awaitables, leaves to coerce, types to find out (GraphQL spec, Value
Completion). One closure a type and position, shared by all runs of a plan.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeGuard, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
)
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import is_iterable
from graphql.pyutils.is_awaitable import is_async_iterable

from bff.plans.classes import asks_class_only, is_plain, is_record
from bff.plans.fenced import FencedRun, withhold
from bff.plans.fencing import Members
from bff.plans.leaves import coercion
from bff.plans.places import Place, field_of
from bff.plans.run import Run, Settle

MAX_LEARNT = 256

# Whether a value has to be awaited, by the question the execution asks.
Awaits: TypeAlias = Callable[[Any], TypeGuard[Awaitable[Any]]]


@dataclass(slots=True, eq=False)
class Ref:
    """A generated function that is there once the plan's text has run."""

    call: Settle = field(init=False)


def awaiting(settle: Settle, awaits: Awaits) -> Settle:
    """The same for a value that may have to be awaited first."""

    def complete(value: Any, place: Place, run: Run) -> Any:
        if awaits(value):
            return run.defer(value, settle, place)
        return settle(value, place, run)

    return complete


def nullable(inner: Settle) -> Settle:
    """What comes first for every value: errors are raised, null is null."""

    def settle(value: Any, place: Place, run: Run) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None
        return inner(value, place, run)

    return settle


def non_null(inner: Settle) -> Settle:
    """The same where null is an error."""

    def settle(value: Any, place: Place, run: Run) -> Any:
        if isinstance(value, Exception):
            raise value
        found = None if value is None or value is Undefined else inner(value, place, run)
        if found is None:
            plan = field_of(place)
            raise TypeError(
                f"Cannot return null for non-nullable field {plan.parent_type}.{plan.name}."
            )
        return found

    return settle


def leaf(declared: GraphQLLeafType) -> Settle:
    coerced = coercion(declared)

    def settle(value: Any, place: Place, run: Run) -> Any:
        return coerced(value)

    return settle


def fenced_leaf(declared: GraphQLLeafType, members: Members) -> Settle:
    """The same of an enum, some of whose members are not sent."""
    coerced = coercion(declared)

    def settle(value: Any, place: Place, run: Run) -> Any:
        found = coerced(value)
        if found in members.withheld:
            return cast("FencedRun", run).withhold(place, members.instead)
        return found

    return settle


def iterable(declared: GraphQLOutputType, items: Ref) -> Settle:
    """A list by its generated loop; asynchronous ones are graphql-core's."""

    def settle(value: Any, place: Place, run: Run) -> Any:
        if type(value) is not list and type(value) is not tuple:
            if is_async_iterable(value):
                return run.generic_value(declared, value, place, "asynchronous list")
            if not is_iterable(value):
                plan = field_of(place)
                raise GraphQLError(
                    "Expected Iterable, but did not find one for field"
                    f" '{plan.parent_type}.{plan.name}'."
                )
        return items.call(value, place, run)

    return settle


def object_value(
    declared: GraphQLObjectType, selected: Ref, learnt: set[type], awaits: Awaits
) -> Settle:
    """An object of a known type. Classes that prove to be of it are learnt, where nothing but the
    class decides; the generated text then takes them at a glance."""
    is_type_of = declared.is_type_of
    alike = is_plain if is_type_of is None else is_record
    teachable = asks_class_only(is_type_of)

    def settle(value: Any, place: Place, run: Run) -> Any:
        if is_type_of is not None:
            belongs = is_type_of(value, run.info(place))
            if awaits(belongs):
                return run.defer(
                    belongs, lambda found, at, on: confirmed(found, value, at, on), place
                )
            if not belongs:
                raise invalid_return_type_error(declared, value, field_of(place).details)
        if teachable and len(learnt) < MAX_LEARNT and alike(value):
            learnt.add(type(value))
        return selected.call(value, place, run)

    def confirmed(belongs: Any, value: Any, place: Place, run: Run) -> Any:
        if not belongs:
            raise invalid_return_type_error(declared, value, field_of(place).details)
        return selected.call(value, place, run)

    return settle


@dataclass(slots=True, eq=False)
class Abstract:
    """A union or interface at one position: the function of each possible type, the classes known
    to be of one, and the types that are not sent there."""

    declared: GraphQLAbstractType
    types: dict[str, tuple[GraphQLObjectType, Ref]]
    learnt: dict[type, Settle]
    teachable: bool
    awaits: Awaits
    withheld: frozenset[str] = frozenset()

    def settle(self, value: Any, place: Place, run: Run) -> Any:
        resolve = self.declared.resolve_type or run.core.type_resolver
        found = resolve(value, run.info(place), self.declared)
        if self.awaits(found):
            return run.defer(found, lambda name, at, on: self._named(name, value, at, on), place)
        return self._named(found, value, place, run)

    def _named(self, name: Any, value: Any, place: Place, run: Run) -> Any:
        known = self.types.get(name) if isinstance(name, str) else None
        if known is None:
            if isinstance(name, str) and name in self.withheld:
                self._learn(value, withhold)
                return withhold(value, place, run)
            self._refuse(name, value, place, run)
        declared, selected = known  # type: ignore[misc]
        if declared.is_type_of is not None:
            belongs = declared.is_type_of(value, run.info(place))
            if self.awaits(belongs):
                return run.defer(
                    belongs,
                    lambda found, at, on: self._confirmed(found, declared, value, at, on),
                    place,
                )
            if not belongs:
                raise invalid_return_type_error(declared, value, field_of(place).details)
        self._learn(value, selected.call)
        return selected.call(value, place, run)

    def _confirmed(
        self, belongs: Any, declared: GraphQLObjectType, value: Any, place: Place, run: Run
    ) -> Any:
        if not belongs:
            raise invalid_return_type_error(declared, value, field_of(place).details)
        return self.types[declared.name][1].call(value, place, run)

    def _learn(self, value: Any, chosen: Settle) -> None:
        """Takes later values of the class at a glance."""
        if self.teachable and len(self.learnt) < MAX_LEARNT and is_record(value):
            self.learnt[type(value)] = chosen

    def _refuse(self, name: Any, value: Any, place: Place, run: Run) -> None:
        """Raises what graphql-core says about a type that cannot be."""
        details = field_of(place).details
        run.core.ensure_valid_runtime_type(name, self.declared, details, run.info(place), value)
        raise GraphQLError(f"Type '{name}' is not planned here.")
