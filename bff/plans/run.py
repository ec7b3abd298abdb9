"""One execution of a compiled plan: what the generated functions call while they build the answer.

Errors are located, collected and bubbled as graphql-core does it (GraphQL spec, Handling Execution
Errors). Waiting for anything is the driver's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import cached_property
from typing import Any, Protocol, TypeAlias, cast

import strawberry
from graphql import GraphQLError, GraphQLNonNull, GraphQLOutputType, GraphQLResolveInfo
from graphql.error import located_error
from graphql.execution import Executor
from graphql.execution.executor import CollectedErrors, collect_iterator_awaitables
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from bff.plans.counters import Counters
from bff.plans.places import (
    FieldPlan,
    Place,
    core_path,
    field_of,
    field_place,
    is_under,
    path_list,
    section_at,
    type_at,
)
from bff.plans.waves import OpenWave, WavePlan
from bff.screens.empty import empty_value
from bff.screens.showing import Showing, ShownErrors, is_unavailable

Settle: TypeAlias = Callable[[Any, Place, "Run"], Any]


class PlannedFields(Protocol):
    """Of a compiled plan, what a run needs."""

    @property
    def counters(self) -> Counters: ...

    @property
    def waves(self) -> tuple[WavePlan, ...]: ...
    @property
    def writes(self) -> bool: ...


class Pending:
    """A value that is awaited: it stands in its container until it is replaced."""

    __slots__ = ("awaitable", "container", "key", "place", "settle")

    def __init__(self, awaitable: Awaitable[Any], settle: Settle | None, place: Place) -> None:
        self.awaitable = awaitable
        self.settle = settle
        self.place = place
        self.container: Any = None
        self.key: Any = None


class RootNulled(Exception):
    """An error went up to the root: the whole of `data` is null."""

    def __init__(self, error: GraphQLError) -> None:
        super().__init__(error.message)
        self.error = error


class Run:
    """The state of one execution. `make_core` builds the graphql-core executor that serves what is
    not compiled; most executions never need it. `showing` is the screen contract in this run; None
    where nobody promised anything."""

    __slots__ = (
        "__dict__",
        "_arguments",
        "_info",
        "cancel_under",
        "context",
        "converted",
        "counters",
        "data",
        "errors",
        "hide_suggestions",
        "make_core",
        "nulled",
        "pending",
        "root",
        "showing",
        "variables",
        "waves",
        "writes",
    )

    def __init__(
        self,
        plan: PlannedFields,
        root: Any,
        context: Any,
        variables: VariableValues,
        make_core: Callable[[], Executor[Any]],
        errors: CollectedErrors,
        hide_suggestions: bool,
    ) -> None:
        self.counters = plan.counters
        self.waves = [OpenWave(wave) for wave in plan.waves]
        self.writes = plan.writes
        self.showing: Showing | None = None
        self.root = root
        self.context = context
        self.variables = variables
        self.make_core = make_core
        self.errors = errors
        self.hide_suggestions = hide_suggestions
        self.nulled: set[Place] = set()
        self.pending: list[Pending] = []
        self.data: Any = None
        self.cancel_under: Callable[[Place], None] | None = None
        self.converted: dict[FieldPlan, dict[str, Any]] = {}
        self._arguments: dict[FieldPlan, dict[str, Any]] = {}
        self._info: tuple[Place, GraphQLResolveInfo[Any]] | None = None

    @cached_property
    def core(self) -> Executor[Any]:
        """graphql-core's executor over the same variables and the same collected errors."""
        core = self.make_core()
        core.collected_errors = self.errors
        return core

    # What a resolver is given.

    def info(self, place: Place) -> GraphQLResolveInfo[Any]:
        """graphql-core's info of the field at a place."""
        place = field_place(place)
        known = self._info
        if known is not None and known[0] is place:
            return known[1]
        field = cast("FieldPlan", place[2])
        path = cast("Any", core_path(place))
        info = self.core.build_resolve_info(
            field.definition, list(field.nodes), field.parent_type, path
        )
        self._info = (place, info)
        return info

    def arguments(self, field: FieldPlan) -> dict[str, Any]:
        """The arguments by graphql-core's rules and names; computed once where nobody can change
        them."""
        known = self._arguments.get(field)
        if known is None:
            detail = field.details[0]
            known = get_argument_values(
                field.definition,
                detail.node,
                self.variables,
                detail.fragment_variable_values,
                self.hide_suggestions,
            )
            if all(is_immutable(value) for value in known.values()):
                self._arguments[field] = known
        return known

    # Values that are not there yet.

    def defer(self, awaitable: Awaitable[Any], settle: Settle | None, place: Place) -> Pending:
        """A place for what is awaited; `settle` completes it once it is there."""
        found = Pending(awaitable, settle, place)
        for index in field_of(place).feeds:
            self.waves[index].waiting += 1
        self.pending.append(found)
        return found

    def release(self, pending: Pending) -> None:
        """What was awaited has come, or nobody waits for it any more: no key comes from it."""
        for index in field_of(pending.place).feeds:
            self.waves[index].waiting -= 1

    def link(self, container: dict[str, Any]) -> None:
        """Tell the pending values of an object where they stand."""
        for key, value in container.items():
            if type(value) is Pending and value.container is None:
                value.container, value.key = container, key

    def want(
        self, wave: int, key: Any, settle: Settle, place: Place, container: Any, slot: Any
    ) -> None:
        """One key of a batch field; its record's value goes to `container[slot]`."""
        self.waves[wave].keys[key].append((container, slot, settle, place))

    def want_all(self, wave: int, keys: list[Any], settle: Settle, place: Place) -> list[Any]:
        """The keys of a batch field that is a list: one item a key, null where a key is None.

        Raises UNAUTHENTICATED, an error of the whole field, for a viewer's data without a viewer.
        """
        if self.waves[wave].plan.of_viewer and any(key is not None for key in keys):
            self.context.signed_in()
        items: list[Any] = [None] * len(keys)
        for index, key in enumerate(keys):
            at: Place = (place, index, None)
            if key is not None:
                self.want(wave, key, settle, at, items, index)
                continue
            try:
                items[index] = settle(None, at, self)
            except Exception as error:
                self.fail_item(at, True, error)  # only what must not be null fails of it
        return items

    # What the compiler leaves to graphql-core.

    def generic_field(self, field: FieldPlan, source: Any, place: Place, reason: str) -> Any:
        """Execute one field and all below it generically."""
        self.counters.fell_back("field", reason)
        path = cast("Any", core_path(place))
        section = section_at(place[0])
        found = self.core.execute_field(field.parent_type, source, field.details, path, section)
        return self._maybe_later(found, place)

    def generic_value(
        self, declared: GraphQLOutputType, value: Any, place: Place, reason: str
    ) -> Any:
        """Complete one value and all below it generically."""
        self.counters.fell_back("value", reason)
        field = field_of(place)
        path = cast("Any", core_path(place))
        found = self.core.complete_value(
            declared, field.details, self.info(place), path, value, section_at(place)
        )
        return self._maybe_later(found, place)

    def _maybe_later(self, found: Any, place: Place) -> Any:
        return self.defer(found, None, place) if self.core.is_awaitable(found) else found

    def drain(self, iterator: Iterator[Any]) -> None:
        """What a list given up still holds is awaited in the background, lest it be orphaned."""
        awaitables = collect_iterator_awaitables(iterator, self.core.is_awaitable)
        if awaitables:
            self.core.settle_in_background(awaitables)

    # Errors.

    def fail(self, field: FieldPlan, above: Place | None, error: Exception) -> Any:
        """An error of a field while its object, at the place above, is built: null, or what its
        section has instead; raised if it must not be null."""
        place: Place = (above, field.key, field)
        located = located_error(error, list(field.nodes), path_list(place))
        if field.non_null:
            raise located
        return self._null(place, located)

    def fail_item(self, place: Place, non_null: bool, error: Exception) -> None:
        """The same of an item while its list is built."""
        located = located_error(error, list(field_of(place).nodes), path_list(place))
        if non_null:
            raise located
        self._null(place, located)

    def _null(self, place: Place, located: GraphQLError) -> Any:
        instead = self._told(place, located)
        if not field_of(place).is_leaf:
            self.nulled.add(place)
        if self.pending:
            self._give_up(place)
        return instead

    def _told(self, place: Place, located: GraphQLError) -> Any:
        """Takes the error of a place down; what stands there from now on: null, but for a section
        that has an empty value."""
        field, errors, path = place[2], self.errors, core_path(place)
        if field is None or field.section is None or not field.section.is_empty:
            errors.add(located, path)
            return None
        if not isinstance(errors, ShownErrors) or not is_unavailable(located.original_error):
            errors.add(located, path)
            return None
        errors.hide(located, cast("Path", path))
        return empty_value(
            field.type,
            lambda found: self.core.collect_subfields(found, field.details).grouped_field_set,
        )

    def _give_up(self, place: Place) -> None:
        """Nobody waits any more for what is pending below a place."""
        dropped = [one for one in self.pending if is_under(one.place, place)]
        if dropped:
            gone = set(dropped)
            self.pending = [one for one in self.pending if one not in gone]
            self.settle_in_background(dropped)

    def settle_in_background(self, dropped: list[Pending]) -> None:
        for one in dropped:
            self.release(one)
        self.core.settle_in_background([one.awaitable for one in dropped])

    def is_nulled(self, place: Place) -> bool:
        """Whether an error already took the place, or one above it, out of the answer."""
        nulled = self.nulled
        at: Place | None = place
        while at is not None:
            if at in nulled:
                return True
            at = at[0]
        return False

    def bubble(self, place: Place, error: Exception, origin: Pending | None = None) -> None:
        """An error of a value that came later: null at the nearest place that may be null, or what
        its section has instead. Raises RootNulled when there is none.
        """
        located = located_error(error, list(field_of(place).nodes), path_list(place))
        at: Place | None = place
        while at is not None:
            if not isinstance(type_at(at), GraphQLNonNull):
                break
            at = at[0]
        if at is None:
            raise RootNulled(located)
        instead = self._told(at, located)
        self.nulled.add(at)
        self._put(at, instead)
        if self.pending:
            self._give_up(at)
        if self.cancel_under is not None and (origin is None or at is not origin.place):
            self.cancel_under(at)

    def _put(self, place: Place, instead: Any) -> None:
        keys = path_list(place)
        container = self.data
        for key in keys[:-1]:
            if not container:
                return  # null or empty: an error took it before
            container = container[key]
        if container:
            container[keys[-1]] = instead


class LazyInfo(strawberry.Info[Any, Any]):
    """Strawberry's info whose graphql-core part is only built when more than the context is asked
    for."""

    def __init__(self, run: Run, place: Place, field: StrawberryField) -> None:
        self._run = run
        self._place = place
        self._field = field

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]
        return self._run.info(self._place)

    @property
    def context(self) -> Any:
        return self._run.context


IMMUTABLE = (str, int, float, bool, type(None))


def is_immutable(value: object) -> bool:
    """Whether a resolver that is given the value cannot change it for the next one."""
    return type(value) in IMMUTABLE
