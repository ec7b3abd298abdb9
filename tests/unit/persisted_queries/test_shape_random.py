"""The proof of a hot-fix against documents and changes nobody thought of, over the real schemas."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    strip_ignored_characters,
    validate,
    visit,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bff import config as settings_module
from persisted_queries.releases import read_releases
from persisted_queries.shape import compatible
from tests.contract.schemas import PLATFORMS, schema_of
from tests.harness.operations import operations

SEEDS = st.integers(0, 2**32)
EXAMPLES = 25


def registered(platform: str) -> list[str]:
    """Every text any release of a platform sends."""
    folder = settings_module.load().platforms[platform].releases
    releases = read_releases(folder, platform)
    found = {one.body for release in releases for one in release.manifest.operations}
    return sorted(found)


TEXTS = {platform: registered(platform) for platform in PLATFORMS}


class Shuffle(Visitor):
    """Turns a document into another one that asks for the same: selections in another order (but
    those of a mutation's root, which are steps), some twice, some in a fragment of their own, named
    fragments inlined."""

    def __init__(self, chance: random.Random, document: DocumentNode) -> None:
        super().__init__()
        self.chance = chance
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.steps = {
            id(node.selection_set)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode) and node.operation.value == "mutation"
        }

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode | None:
        if id(node) in self.steps:
            return None
        found = list(node.selections)
        found += [one for one in found if self.chance.random() < 0.1]
        self.chance.shuffle(found)
        return SelectionSetNode(selections=tuple(self.wrapped(one) for one in found))

    def wrapped(self, node: SelectionNode) -> SelectionNode:
        if isinstance(node, FragmentSpreadNode) and self.chance.random() < 0.3:
            fragment = self.fragments[node.name.value]
            return InlineFragmentNode(
                type_condition=fragment.type_condition,
                directives=node.directives,
                selection_set=fragment.selection_set,
            )
        if self.chance.random() < 0.1:
            return InlineFragmentNode(selection_set=SelectionSetNode(selections=(node,)))
        return node


def shuffled(text: str, chance: random.Random) -> str:
    document = visit(parse(text), Shuffle(chance, parse(text)))
    used: set[str] = set()
    follow(print_ast(next(iter(operations_of(document)))), document, used)
    kept = [
        node
        for node in document.definitions
        if not isinstance(node, FragmentDefinitionNode) or node.name.value in used
    ]
    chance.shuffle(kept)
    printed = "\n".join(print_ast(node) for node in kept)
    return strip_ignored_characters(printed) if chance.random() < 0.5 else printed


def follow(text: str, document: DocumentNode, used: set[str]) -> None:
    """Names of the fragments a text spreads, directly or not."""
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            name = node.name.value
            if name not in used and f"...{name}" in text.replace("... ", "...").split():
                used.add(name)
                follow(print_ast(node), document, used)


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=SEEDS)
def test_own_rearrangement_is_compatible(platform: str, seed: int) -> None:
    """A registered document, printed anew in another order with fragments inlined, may always take
    its own place."""
    chance = random.Random(seed)
    text = chance.choice(TEXTS[platform])
    schema = schema_of(platform)
    other = shuffled(text, chance)
    assert validate(schema, parse(other)) == []
    assert compatible(text, other, schema, schema) == []
    assert compatible(other, text, schema, schema) == []


def rename(node: FieldNode) -> FieldNode:
    return changed(node, alias=NameNode(value=f"other_{key_of(node)}"))


def omit(node: FieldNode) -> FieldNode:
    """`@include(if: false)`: there for validation, gone from the answer."""
    (never,) = parse("{ a @include(if: false) }").definitions
    assert isinstance(never, OperationDefinitionNode)
    return changed(node, directives=never.selection_set.selections[0].directives)


def put_beside(node: FieldNode) -> tuple[FieldNode, ...]:
    added = FieldNode(name=NameNode(value="__typename"), alias=NameNode(value="added"))
    return node, added


def feed_from_elsewhere(node: FieldNode) -> FieldNode:
    other = "__typename" if node.name.value != "__typename" else "id"
    return FieldNode(name=NameNode(value=other), alias=NameNode(value=key_of(node)))


def take_out(node: FieldNode) -> tuple[FieldNode, ...]:
    return ()


CHANGES: dict[str, Callable[[FieldNode], FieldNode | tuple[FieldNode, ...]]] = {
    one.__name__: one for one in (rename, omit, put_beside, feed_from_elsewhere, take_out)
}


def changed(node: FieldNode, **parts: Any) -> FieldNode:
    told = {name: getattr(node, name) for name in ("alias", "name", "arguments", "directives")}
    return FieldNode(**{**told, "selection_set": node.selection_set, **parts})


def key_of(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


class OneChange(Visitor):
    """Changes the field of one number in the order of the text."""

    def __init__(self, number: int, change: Callable[[FieldNode], Any]) -> None:
        super().__init__()
        self.number = number
        self.change = change
        self.met = 0

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        found: list[SelectionNode] = []
        for one in node.selections:
            if isinstance(one, FieldNode):
                self.met += 1
                if self.met - 1 == self.number:
                    result = self.change(one)
                    found += result if isinstance(result, tuple) else (result,)
                    continue
            found.append(one)
        return SelectionSetNode(selections=tuple(found))


def count_fields(node: Node) -> int:
    counter = OneChange(-1, rename)
    visit(node, counter)
    return counter.met


def without_unused_variables(document: DocumentNode) -> DocumentNode:
    """Or validation would refuse what the comparison is to refuse."""
    used: set[str] = set()

    class Used(Visitor):
        def enter_variable_definition(self, *_: Any) -> Any:
            return self.SKIP

        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            used.add(node.name.value)

    class Drop(Visitor):
        def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
            return None if node.variable.name.value in used else self.REMOVE

    visit(document, Used())
    return visit(document, Drop())  # type: ignore[no-any-return]


def all_different(text: str) -> str:
    """The same with a response key for each __typename: no field says what another one says."""
    numbers = count()
    return re.sub("__typename", lambda _: f"t{next(numbers)}: __typename", text)


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=SEEDS)
def test_any_single_change_is_refused(change: str, seed: int) -> None:
    """Whatever field of a document is renamed, dropped, omitted, doubled under a new key or fed
    from elsewhere, the proof fails; and it fails by comparison, not because the text is wrong."""
    chance = random.Random(seed)
    schema = schema_of(chance.choice(PLATFORMS))
    (made,) = operations(schema, 1, range(20, 120), seed)
    text = all_different(made)
    document = parse(text)
    number = chance.randrange(count_fields(document))
    other = without_unused_variables(visit(document, OneChange(number, CHANGES[change])))
    assume(not validate(schema, other))  # something is left of the selection
    problems = compatible(text, print_ast(other), schema, schema)
    assert problems, print_ast(other)
    assert not any("not valid" in one.what for one in problems), problems
