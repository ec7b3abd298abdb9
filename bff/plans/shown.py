"""The screen contract on the generic path: graphql-core's executor, every wait of it limited.

The same as `driver.py` and `ending.py` do for compiled plans: what is awaited when its time is up
is null, or what its section has instead; calls and writes are left to their own end.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, TimerHandle, ensure_future, iscoroutine, isfuture
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType, OperationType
from graphql.error import located_error
from graphql.execution import Executor
from graphql.execution.executor import to_nodes
from graphql.pyutils import Path

from bff.contract import batch_of
from bff.plans.fenced import FencedExecutor
from bff.screens.contract import PlannedSection, declared_of, pattern_of
from bff.screens.empty import empty_value
from bff.screens.parked import park
from bff.screens.showing import Showing, ShownErrors, is_unavailable
from bff.screens.stale import stale_of


class ShownExecutor(Executor[Any]):
    """Passes the innermost section down as graphql-core's `position_context`. `rings`: it looks at
    the time itself; not where it serves a compiled run, whose driver does."""

    def __init__(
        self, *arguments: Any, showing: Showing, rings: bool = True, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.showing = showing
        self._rings = rings
        self._sections = declared_of(self.schema).sections
        if showing.contract.sections:
            self.collected_errors = ShownErrors()
        self.writes = self.operation.operation is OperationType.MUTATION
        # Of the field that is about to be resolved, or of the list that is about to be read.
        self._here: PlannedSection | None = None
        self._limit: TimerHandle | None = None
        self._waiting: dict[Future[bool], PlannedSection | None] = {}
        # Sections with an empty value, by path; whether it stands there.
        self._emptied: dict[tuple[str | int, ...], bool] = {}

    # Time.

    def wait(self, waiter: Future[bool], section: PlannedSection | None) -> None:
        """Until the section ends: then the waiter is told False."""
        self._waiting[waiter] = section
        if self._limit is None and self._rings:
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(self.showing.to_next(), self._ring)

    def waits_no_more(self, waiter: Future[bool]) -> None:
        del self._waiting[waiter]

    def _ring(self) -> None:
        showing = self.showing
        self._limit = None
        if showing.look():
            for waiter, section in self._waiting.items():
                if not waiter.done() and showing.has_ended(section):
                    waiter.set_result(False)
        if not showing.is_over and self._waiting:
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(showing.to_next(), self._ring)

    def build_response(self, data: dict[str, Any] | None) -> Any:
        """See graphql-core; nothing is waited for any more."""
        self._stop()
        return super().build_response(data)

    def _stop(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    # What waits.

    def complete_awaitable_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        """See graphql-core."""
        is_write = self.writes and path.prev is None
        limited = _Limited(self, result, context, is_write=is_write)
        return super().complete_awaitable_value(return_type, details, info, path, limited, context)

    def complete_awaitable_list_item_value(
        self, item: Any, item_type: Any, details: Any, info: Any, path: Path, context: Any
    ) -> Any:
        """See graphql-core."""
        limited = _Limited(self, item, context)
        return super().complete_awaitable_list_item_value(
            limited, item_type, details, info, path, context
        )

    async def with_abort_signal(self, awaitable: Awaitable[Any]) -> Any:
        """See graphql-core, which awaits everything here; tests of types come without limits."""
        if not isinstance(awaitable, _Limited):
            awaitable = _Limited(self, awaitable, None)
        return await awaitable

    def complete_list_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        """See graphql-core."""
        self._here = context
        return super().complete_list_value(return_type, details, info, path, result, context)

    def cancellable_iterable(self, iterable: AsyncIterable[Any]) -> AsyncIterable[Any]:
        """See graphql-core; the next item of an asynchronous list is awaited like any value."""
        return _LimitedItems(self, iterable, self._here)

    # Sections.

    def execute_collected_subfields(
        self, parent: Any, source: Any, path: Any, fields: Any, _usages: Any, context: Any
    ) -> Any:
        """See graphql-core, which loses the context here."""
        return self.execute_fields(parent, source, path, fields, context)

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, details: Any, path: Path, context: Any
    ) -> Any:
        """See graphql-core; `context` is the section around the field."""
        if self.writes and path.prev is None:
            self.showing.begin_again()
            self._stop()
        name = details[0].node.name.value
        declared = self._sections.get((parent_type.name, name))
        if declared is None:
            self._here = context
            return super().execute_field(parent_type, source, details, path, context)
        keys = path.as_list()
        section = self.showing.contract.section(
            pattern_of(keys), f"{parent_type.name}.{name}", declared, context
        )
        self._here = section
        if not section.is_empty:
            return super().execute_field(parent_type, source, details, path, section)
        self._emptied[tuple(keys)] = False
        found = super().execute_field(parent_type, source, details, path, section)
        return self._or_empty(found, tuple(keys), parent_type.fields[name].type, details)

    def build_resolve_info(
        self, field_def: Any, field_nodes: Any, parent_type: Any, path: Path
    ) -> Any:
        """See graphql-core; a batch field of a section that shows old records loads through it."""
        info = super().build_resolve_info(field_def, field_nodes, parent_type, path)
        section = self._here
        if section is None or not section.is_stale or batch_of(field_def) is None:
            return info
        return info._replace(context=_Loads(info.context, self.showing, section))

    def handle_field_error(
        self, raw_error: Exception, return_type: Any, details: Any, path: Path
    ) -> None:
        """See graphql-core; a section with an empty value has that instead of some errors."""
        if self._emptied and not isinstance(return_type, GraphQLNonNull):
            keys = tuple(path.as_list())
            errors = self.collected_errors
            if keys in self._emptied and isinstance(errors, ShownErrors):
                error = located_error(raw_error, to_nodes(details), list(keys))
                if is_unavailable(error.original_error):
                    errors.hide(error, path)
                    self._emptied[keys] = True
                    return
        super().handle_field_error(raw_error, return_type, details, path)

    def _or_empty(
        self, found: Any, keys: tuple[str | int, ...], declared: Any, details: Any
    ) -> Any:
        def settled(value: Any) -> Any:
            if value is not None or not self._emptied[keys]:
                return value
            return empty_value(
                declared, lambda one: self.collect_subfields(one, details).grouped_field_set
            )

        async def later() -> Any:
            return settled(await found)

        return later() if self.is_awaitable(found) else settled(found)


class ShownFencedExecutor(ShownExecutor, FencedExecutor):
    """The same within a fence."""


class _Limited:
    """What is awaited, until it is there or its section ends. Raises what it ends with."""

    __slots__ = ("_awaitable", "_executor", "_is_write", "_section")

    def __init__(
        self,
        executor: ShownExecutor,
        awaitable: Any,
        section: PlannedSection | None,
        *,
        is_write: bool = False,
    ) -> None:
        self._executor = executor
        self._awaitable = awaitable
        self._section = section
        self._is_write = is_write

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        load = self._awaitable if isinstance(self._awaitable, _Load) else None
        try:
            return await self._in_time(load.future if load is not None else self._awaitable)
        except Exception as error:
            if load is None or not is_unavailable(error):
                raise
            failure = error
        return load.old(failure)

    async def _in_time(self, awaitable: Any) -> Any:
        showing = self._executor.showing
        if showing.has_ended(self._section):
            if iscoroutine(awaitable):
                awaitable.close()
            elif isfuture(awaitable):
                park(awaitable)
            raise showing.late()
        future = ensure_future(awaitable)
        if not future.done():
            await self._until(future)
        if future.cancelled():
            raise RuntimeError("the load was cancelled")
        return future.result()

    async def _until(self, future: Future[Any]) -> None:
        """Returns once it is done; raises if its section ends before."""
        executor = self._executor
        waiter: Future[bool] = asyncio.get_running_loop().create_future()
        came = _teller(waiter)
        future.add_done_callback(came)
        executor.wait(waiter, self._section)
        try:
            in_time = await waiter
        except BaseException:
            self._leave(future, came)
            raise
        finally:
            executor.waits_no_more(waiter)
        if not in_time and not future.done():
            self._leave(future, came)
            raise executor.showing.late()

    def _leave(self, future: Future[Any], came: Callable[[Future[Any]], None]) -> None:
        future.remove_done_callback(came)
        ours = future is not self._awaitable and not isinstance(self._awaitable, _Load)
        if ours and not self._is_write:
            future.cancel()
        park(future)


def _teller(waiter: Future[bool]) -> Callable[[Future[Any]], None]:
    def came(_: Future[Any]) -> None:
        if not waiter.done():
            waiter.set_result(True)

    return came


class _LimitedItems:
    """The items of an asynchronous list, each in time."""

    def __init__(
        self,
        executor: ShownExecutor,
        iterable: AsyncIterable[Any],
        section: PlannedSection | None,
    ) -> None:
        self._executor = executor
        self._section = section
        self._iterator = iterable.__aiter__()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return _Limited(self._executor, _next(self._iterator), self._section)

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


async def _next(iterator: AsyncIterator[Any]) -> Any:
    return await anext(iterator)


class _Loads:
    """The context of a batch field in a section that shows old records: its loads know how to
    find them."""

    def __init__(self, context: Any, showing: Showing, section: PlannedSection) -> None:
        self._context = context
        self._showing = showing
        self._section = section

    def load(self, kind: Any, key: Any) -> _Load:
        """See `Context.load`. Once the section has ended no call is made."""
        ended = self._showing.has_ended(self._section)
        future = _never() if ended else self._context.load(kind, key)
        return _Load(self, future, kind, key)

    def old(self, kind: Any, key: Any, error: Exception) -> Any:
        """The old record of a key; raises the error where there is none."""
        found = stale_of(self._context, kind, [key]).get(key)
        if found is None:
            raise error
        self._showing.was_stale(self._section, found.age_s, error)
        return found.record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class _Load:
    """One key through a loader, and the way to its old record."""

    __slots__ = ("_key", "_kind", "_loads", "future")

    def __init__(self, loads: _Loads, future: Future[Any], kind: Any, key: Any) -> None:
        self.future = future
        self._loads = loads
        self._kind = kind
        self._key = key

    def old(self, error: Exception) -> Any:
        return self._loads.old(self._kind, self._key, error)

    def __await__(self) -> Generator[Any, None, Any]:
        return self.future.__await__()


def _never() -> Future[Any]:
    """Nothing is asked, and nobody waits."""
    future: Future[Any] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future
