"""The plans that are kept: bounded, one an outcome of @skip and @include, never a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues

from bff.plans import compiler
from bff.plans.compiler import CompiledPlan, NotCompiled, Subject
from bff.plans.execute import fragments_of
from bff.plans.store import MAX_VARIANTS, Known, PlanStore

SCHEMA = build_schema("type Query { a: Int b: Int c: Query }")


def _open(store: PlanStore, key: str, text: str = "{ a }") -> tuple[Known, OperationDefinitionNode]:
    document = parse(text)
    definition = cast("OperationDefinitionNode", document.definitions[0])
    return store.open(key, definition, fragments_of(document)), definition


def _compile(
    store: PlanStore,
    key: str,
    text: str = "{ a }",
    schema: GraphQLSchema = SCHEMA,
    coerced: Mapping[str, Any] = MappingProxyType({}),
) -> CompiledPlan:
    known, definition = _open(store, key, text)
    values = VariableValues({}, dict(coerced))
    subject = Subject(schema, definition, fragments_of(parse(text)), values, default_field_resolver)
    return store.compile(known, subject)


def test_the_longest_unused_goes() -> None:
    """Beyond `max_memory` the plan leaves that nobody asked for the longest."""
    one = _compile(PlanStore(), "one").size
    store = PlanStore(max_memory=int((one + 2_048) * 2.5))
    _compile(store, "first")
    _compile(store, "second")
    assert store.get("first") is not None
    _compile(store, "third")
    assert len(store) == 2
    assert store.get("second") is None
    assert store.get("first") is not None
    assert store.size <= (one + 2_048) * 2.5


def test_what_is_used_stays_however_large() -> None:
    """A single plan above the bound is kept: it is in use."""
    store = PlanStore(max_memory=1)
    _compile(store, "large")
    assert len(store) == 1
    assert not store.has_room


def test_every_outcome_has_its_plan() -> None:
    """@skip and @include decide by their variables' values, each value by a plan of its own."""
    store = PlanStore()
    text = "query($x: Boolean!) { a @skip(if: $x) b @include(if: $x) }"
    with_x = _compile(store, "one", text, coerced={"x": True})
    without = _compile(store, "one", text, coerced={"x": False})
    known = store.get("one")
    assert known is not None
    assert known.deciding == ("x",)
    assert known.plan({"x": True}) is with_x
    assert known.plan({"x": False}) is without
    assert known.plan({"x": None}) is None


def test_outcomes_are_bounded() -> None:
    """An operation with many deciding variables does not fill the memory with its outcomes."""
    names = [f"v{number}" for number in range(6)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: a @skip(if: ${name})" for name in names)
    text = f"query({declared}) {{ b {fields} }}"
    store = PlanStore()
    outcomes = [
        {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        for number in range(MAX_VARIANTS + 1)
    ]
    for values in outcomes[:MAX_VARIANTS]:
        _compile(store, "one", text, coerced=values)
    with pytest.raises(NotCompiled, match="too many outcomes"):
        _compile(store, "one", text, coerced=outcomes[-1])
    known = store.get("one")
    assert known is not None
    with pytest.raises(NotCompiled, match="too many outcomes"):
        known.plan(outcomes[-1])
    assert len(known.variants) == MAX_VARIANTS


def test_a_disabled_plan_stays_so() -> None:
    """What was found wrong is neither kept nor compiled again, and says why."""
    store = PlanStore()
    _compile(store, "one")
    store.disable("one", "differs")
    assert store.size == 0
    with pytest.raises(NotCompiled, match="differs"):
        store.get("one")
    with pytest.raises(NotCompiled, match="differs"):
        _compile(store, "one")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ a ... @defer { b } }", "@defer"),
        ("query @experimental_disableErrorPropagation { a }", "disableErrorPropagation"),
    ],
)
def test_what_is_not_taken_says_why(text: str, reason: str) -> None:
    """Directives the compiler does not take leave the operation to graphql-core, for a reason."""
    with pytest.raises(NotCompiled, match=reason):
        _compile(PlanStore(), "one", text)


def test_a_refusal_is_remembered() -> None:
    """Looked for again, an operation that cannot be compiled is refused without a new attempt."""
    store = PlanStore()
    text = "query($x: Boolean) { a @skip(if: $x) }"
    with pytest.raises(NotCompiled, match="selection in error"):
        _compile(store, "one", text, coerced={"x": None})
    known = store.get("one")
    assert known is not None
    with pytest.raises(NotCompiled, match="selection in error"):
        known.plan({"x": None})


def _wide() -> GraphQLSchema:
    types = "".join(f"type T{number} implements I {{ i: I a: Int }}\n" for number in range(40))
    return build_schema(f"interface I {{ i: I a: Int }}\n{types} type Query {{ i: I }}")


WIDE = "{ i { i { i { i { a } } } } }"


def test_many_types_do_not_explode() -> None:
    """The same selection of the same type is compiled once, however many ways lead to it."""
    once = _compile(PlanStore(), "one", "{ i { i { a } } }", _wide())
    deeper = _compile(PlanStore(), "one", WIDE, _wide())
    assert len(deeper.source) < 3 * len(once.source)


def test_too_wide_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that would take more text than is good is left to graphql-core."""
    monkeypatch.setattr(compiler, "MAX_SYMBOLS", 300)
    with pytest.raises(NotCompiled, match="too many"):
        _compile(PlanStore(), "one", WIDE, _wide())


def test_refused_operations_are_no_plans() -> None:
    """What is kept only to remember its refusal does not count as compiled."""
    store = PlanStore()
    _compile(store, "one")
    with pytest.raises(NotCompiled):
        _compile(store, "two", "query @experimental_disableErrorPropagation { a }")
    assert (len(store), store.compiled_operations) == (2, 1)


def test_only_its_own_fragments_decide() -> None:
    """Variables of a fragment that another operation of the document spreads decide nothing."""
    store = PlanStore()
    text = """
        query One { ...A } query Two($x: Boolean!) { ...B }
        fragment A on Query { a ...C } fragment B on Query { b @skip(if: $x) }
        fragment C on Query { b }
    """
    known, _ = _open(store, "one", text)
    assert known.deciding == ()
