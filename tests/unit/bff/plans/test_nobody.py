"""A viewer's data without a viewer: refused at the same place by a plan as by graphql-core."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import pytest
import strawberry

from bff.contract import Scope, batch_field
from bff.errors import Unauthenticated
from bff.plans.execute import Executor, Mode, graphql_schema
from tests.unit.bff.plans.wave_world import prepared


class NoteLoader:
    scope: ClassVar[Scope] = Scope.VIEWER


def _one(root: object) -> str:
    return "a"


def _many(root: object) -> list[str | None]:
    return [None, "a", "b"]


def _none(root: object) -> list[str]:
    return []


@strawberry.type
class Query:
    one: str | None = batch_field(NoteLoader, _one)
    many: list[str | None] | None = batch_field(NoteLoader, _many)
    none: list[str] | None = batch_field(NoteLoader, _none)


SCHEMA = graphql_schema(strawberry.Schema(Query))


class Nobody:
    """A context of a request without a token, as the gateway's own behaves."""

    def signed_in(self) -> NoReturn:
        raise Unauthenticated("Sign in to see this.")

    def load(self, _kind: object, _key: str) -> NoReturn:
        self.signed_in()

    def loader(self, _kind: object) -> Nobody:
        return self

    async def load_all(self, keys: list[str]) -> list[Any]:
        return [Unauthenticated("Sign in to see this.") for _ in keys]

    def remaining(self) -> float:
        return 10.0

    def call_was_late(self) -> None: ...


@pytest.mark.parametrize("mode", ["compiled", "generic"])
async def test_nobody_is_refused_at_the_field(mode: Mode) -> None:
    """One key or a list of them: the field is null with one error; no keys, no error."""
    executor = Executor(SCHEMA, hide_suggestions=False, mode=mode)
    operation = prepared("{ one many none }", SCHEMA)
    executor.compile(operation, {})
    context: Any = Nobody()
    found = await executor.execute(operation, {}, context)
    assert found.plan.startswith(mode)
    assert found.data == {"one": None, "many": None, "none": []}
    assert sorted(str(error.path) for error in found.errors) == ["['many']", "['one']"]
