"""The screen contracts of the operations that run generic, found again by what they are known by.

A compiled plan carries its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from bff.screens.contract import ScreenContract, contract_of

MOST_KEPT = 4_096


class Contracts:
    """Those of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: LRUCache[Any, ScreenContract] = LRUCache(MOST_KEPT)

    def of(
        self,
        key: tuple[str, str | None],
        parsed: Callable[[], tuple[DocumentNode, OperationDefinitionNode]],
        variables: VariableValues,
    ) -> ScreenContract:
        """The contract of a valid operation. `key` names it; what @skip and @include can hang on
        is told apart beside."""
        flags = [(n, v) for n, v in variables.coerced.items() if type(v) is bool]
        place = (key, *sorted(flags))
        found = self._known.get(place)
        if found is None:
            document, operation = parsed()
            fragments = {
                node.name.value: FragmentDetails(node)
                for node in document.definitions
                if isinstance(node, FragmentDefinitionNode)
            }
            found = contract_of(self._schema, operation, fragments, variables)
            self._known[place] = found
        return found
