"""What an execution answered, in a form in which nothing that differs looks equal.

Values are told apart by type as well (1, 1.0 and True; a str and its subclass), keys by order, and
errors by all they say, their original exception's type included.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema
from graphql.execution import Executor, execute, execute_sync

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Told:
    """One error: where, and everything it says."""

    path: Path
    words: str

    @classmethod
    def of(cls, error: GraphQLError) -> Told:
        locations = [(one.line, one.column) for one in error.locations or ()]
        origin = error.original_error
        kind = f"{type(origin).__name__}({origin})" if origin is not None else "no exception"
        words = f"{error.message!r} at {locations}, {error.extensions!r}, from {kind}"
        return cls(tuple(error.path or ()), words)


@dataclass(frozen=True)
class Answer:
    """`data` as the executor gave it; `typed` for comparing; `waited` if the result was awaited;
    `raised` if the execution itself failed, which it should not."""

    data: Any
    typed: str
    errors: tuple[Told, ...]
    waited: bool
    raised: str = ""


def typed(value: Any) -> str:
    """A text in which values differ exactly if their types, parts, or order of keys do."""
    if type(value) is dict:
        return "{" + ",".join(f"{key!r}:{typed(one)}" for key, one in value.items()) + "}"
    if type(value) is list:
        return "[" + ",".join(map(typed, value)) + "]"
    return f"{value!r}" if type(value) is str else f"{type(value).__name__} {value!r}"


async def answer(
    executor: type[Executor[Any]],
    schema: GraphQLSchema,
    document: DocumentNode,
    *,
    root: Any = None,
    context: Any = None,
    variables: Mapping[str, Any] | None = None,
    at_once: bool = False,
    **options: Any,
) -> Answer:
    """Execute once; `at_once` by `execute_sync`. `options` are those of `execute`."""
    waited = False
    try:
        result = (execute_sync if at_once else execute)(
            schema,
            document,
            root,
            context,
            dict(variables or {}),
            executor_class=executor,
            **options,
        )
        if inspect.isawaitable(result):
            waited = True
            result = await result
    except Exception as problem:
        words = getattr(problem, "message", problem)
        return Answer(None, "nothing", (), waited, f"{type(problem).__name__}: {words}")
    return _answer(result, waited)


def _answer(result: ExecutionResult, waited: bool) -> Answer:
    errors = tuple(Told.of(error) for error in result.errors or ())
    return Answer(result.data, typed(result.data), errors, waited)
