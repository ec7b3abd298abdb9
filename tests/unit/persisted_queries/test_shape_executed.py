"""The proof of a hot-fix against execution: what it lets through is run beside the original."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    execute_sync,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from persisted_queries.shape import compatible
from tests.unit.persisted_queries.shapes import BUILT, HOME, NOW
from tests.unit.persisted_queries.test_shape import ALLOWED, REFUSED, changed

SAFE = list(ALLOWED.values())
ANY = [changes for changes, _ in REFUSED.values()] + SAFE
LEAVES = {"Int": 1, "Float": 0.5, "String": "text", "ID": "id", "Boolean": True}
RUNS = 12
# Some fields are null and lists are empty, by chance; which, is the same in both schemas.
NULLS = 5


def chance(path: tuple[str | int, ...]) -> int:
    return zlib.crc32(repr(path).encode())


class World:
    """Answers every field by its type and its place in the answer alone, so that two documents that
    ask alike are answered alike."""

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self.schema = schema
        self.seed = seed

    def resolve(self, _: Any, info: GraphQLResolveInfo[Any], **__: Any) -> Any:
        return self.value(info.return_type, (self.seed, *info.path.as_list()))

    def value(self, declared: Any, path: tuple[str | int, ...]) -> Any:
        drawn = chance(path)
        if not is_non_null_type(declared) and drawn % NULLS == 0:
            return None
        found = get_nullable_type(declared)
        if is_list_type(found):
            return [self.value(found.of_type, (*path, place)) for place in range(drawn % 3)]
        if isinstance(found, GraphQLEnumType):
            return next(iter(found.values.values())).value
        if is_leaf_type(found):
            return LEAVES[found.name]
        return {"type": self.runtime(found, drawn)}

    def runtime(self, declared: Any, drawn: int) -> str:
        """One of the types that both schemas know there: others are fenced."""
        if isinstance(declared, GraphQLObjectType):
            return declared.name
        known = [one.name for one in BUILT.get_possible_types(BUILT.type_map[declared.name])]  # type: ignore[arg-type]
        return known[drawn % len(known)]

    def run(self, text: str, variables: Mapping[str, Any]) -> ExecutionResult:
        found = execute_sync(
            self.schema,
            parse(text),
            variable_values=dict(variables),
            field_resolver=self.resolve,
            type_resolver=lambda value, *_: value["type"],
        )
        assert isinstance(found, ExecutionResult)
        return found


def sent_by_the_app(dice: random.Random) -> dict[str, Any]:
    """Any variables that the original takes; what may be left out often is."""
    possible: dict[str, list[Any]] = {
        "first": [3],
        "withViewer": [True, False],
        "ids": [None, [], ["a"]],
    }
    sent = {name: dice.choice(values) for name, values in possible.items() if dice.random() < 0.6}
    return {"brief": dice.random() < 0.5, **sent}


def misread(expected: Any, given: Any, path: str = "") -> str | None:
    """Where code that reads the original's answer fails on the patched one's; null may be less
    often."""
    if expected is None:
        return None
    if isinstance(expected, dict) and isinstance(given, dict):
        if expected.keys() != given.keys():
            return f"{path}: {sorted(expected)} {sorted(given)}"
        below = (misread(expected[key], given[key], f"{path}.{key}") for key in expected)
        return next((one for one in below if one), None)
    if isinstance(expected, list) and isinstance(given, list):
        pairs = zip(expected, given, strict=True)
        below = (misread(*pair, f"{path}.{place}") for place, pair in enumerate(pairs))
        return next((one for one in below if one), None)
    return None if expected == given else f"{path}: {expected!r} {given!r}"


def broken(patched: str, seed: int) -> str | None:
    """What goes wrong in some of many runs; None if nothing was seen to."""
    dice = random.Random(seed)
    for _ in range(RUNS):
        variables, world = sent_by_the_app(dice), dice.randrange(2**32)
        before = World(BUILT, world).run(HOME, variables)
        assert not before.errors, before.errors
        after = World(NOW, world).run(patched, variables)
        problem = str(after.errors) if after.errors else misread(before.data, after.data)
        if problem:
            return problem
    return None


def changed_at_random(dice: random.Random) -> str:
    text = HOME
    for changes in [*dice.sample(SAFE, dice.choice([1, 2, 3])), *dice.sample(ANY, 1)]:
        for old, new in changes:
            text = text.replace(old, new)
    return text


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_allowed_patch_reads_as_the_original(seed: int) -> None:
    """Whatever several changes at once make of a document: where the proof finds no problem, the
    answers have the original's keys, types and nulls for any variables the app may send."""
    patched = changed_at_random(random.Random(seed))
    if compatible(HOME, patched, BUILT, NOW):
        return
    assert broken(patched, seed) is None, patched


def test_runs_find_what_is_refused() -> None:
    """The runs are able to fail: but for directives, names, and right types with wrong values, they
    see every change that the proof refuses in a valid text."""
    unseen = set()
    for name, (changes, _) in REFUSED.items():
        text = changed(HOME, changes)
        if "directive" in name or name in ("deferred part", "no GraphQL", "two operations"):
            continue
        if not validate(NOW, parse(text)) and not any(broken(text, seed) for seed in range(3)):
            unseen.add(name)
    names = {"another name", "another enum"}
    assert unseen == {"fields exchanged", "arguments exchanged", *names}
