"""The text of one operation as each client's code generator prints it, and nothing else of it.

What they share is that `__typename` is added where the client's cache or parser wants it; where
that is, how fragments are ordered and how lines are joined differs from one to the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Visitor,
    print_ast,
    visit,
)

N = TypeVar("N", bound=Node)
Selections = tuple[SelectionNode, ...]
Decide = Callable[[Node, Selections], bool]

TYPENAME = "__typename"


def apollo_ios(operation: OperationDefinitionNode, fragments: list[FragmentDefinitionNode]) -> str:
    """Apollo iOS codegen: `__typename` first in the selections of every field and fragment, not of
    inline fragments; each definition in one line, fragments by name, one line feed between."""

    def wanted(parent: Node, _selections: Selections) -> bool:
        return isinstance(parent, FieldNode | FragmentDefinitionNode)

    definitions = [operation, *sorted(fragments, key=_name)]
    return "\n".join(_one_line(_with_typename(node, wanted)) for node in definitions)


def apollo_kotlin(
    operation: OperationDefinitionNode, fragments: list[FragmentDefinitionNode]
) -> str:
    """Apollo Kotlin's compiler with `addTypename = "ifFragments"`: `__typename` first in selections
    that hold a fragment; fragments after those they spread; all in one line, minified."""

    def wanted(_parent: Node, selections: Selections) -> bool:
        return any(isinstance(one, FragmentSpreadNode | InlineFragmentNode) for one in selections)

    printed = [print_ast(_with_typename(node, wanted)) for node in (operation, *fragments)]
    # Every definition ends with a line feed of its own, hence two spaces where they meet.
    return re.sub(r"\s *", " ", "\n\n".join(printed))


def apollo_client(
    operation: OperationDefinitionNode, fragments: list[FragmentDefinitionNode]
) -> str:
    """Apollo Client's manifest tool: `__typename` last in all selections but the operation's own;
    printed over many lines, fragments by name."""

    def wanted(parent: Node, _selections: Selections) -> bool:
        return not isinstance(parent, OperationDefinitionNode)

    definitions = [operation, *sorted(fragments, key=_name)]
    return "\n\n".join(print_ast(_with_typename(node, wanted, last=True)) for node in definitions)


def _name(node: OperationDefinitionNode | FragmentDefinitionNode) -> str:
    return node.name.value if node.name else ""


def _one_line(node: Node) -> str:
    return " ".join(line.strip() for line in print_ast(node).splitlines())


def _with_typename(node: N, wanted: Decide, *, last: bool = False) -> N:
    """The definition with `__typename` in the selections `wanted` says, where it is missing."""
    name_field = FieldNode(name=NameNode(value=TYPENAME), arguments=(), directives=())

    class AddTypename(Visitor):
        def leave_selection_set(
            self, found: SelectionSetNode, _key: Any, parent: Node, *_: Any
        ) -> Any:
            if _has_typename(found) or not wanted(parent, found.selections):
                return None
            added = (*found.selections, name_field) if last else (name_field, *found.selections)
            return SelectionSetNode(selections=added)

    return cast("N", visit(node, AddTypename()))


def _has_typename(selections: SelectionSetNode) -> bool:
    return any(
        isinstance(one, FieldNode) and one.alias is None and one.name.value == TYPENAME
        for one in selections.selections
    )
