"""From an app's operations to its manifest, as that app's Apollo code generator would write it.

The text of each operation is what the app sends and what its id is made of, so it is imitated to
the byte where the generator's own sources tell how. Whether operations fit a schema is not asked,
and so Relay's map is left to Relay's compiler: what that adds to a text follows from the schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    Visitor,
    parse,
    visit,
)

from persisted_queries import texts
from persisted_queries.bodies import own_hash
from persisted_queries.manifest import V1_FORMAT, ManifestError

Fragments = Mapping[str, FragmentDefinitionNode]


class Packed(NamedTuple):
    """One operation of a manifest."""

    id: str
    name: str
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Generator:
    """A client's code generator: how it writes a text and lays out the manifest.

    `text` gets an operation and the fragments it uses in the order they are first needed, each
    after those it spreads itself.
    """

    text: Callable[[OperationDefinitionNode, list[FragmentDefinitionNode]], str]
    layout: Callable[[list[Packed]], dict[str, Any]]


def _v1(operations: list[Packed]) -> dict[str, Any]:
    listed = [{"id": o.id, "body": o.text, "name": o.name, "type": o.type} for o in operations]
    return {"format": V1_FORMAT, "version": 1, "operations": listed}


def _operation_output(operations: list[Packed]) -> dict[str, Any]:
    return {o.id: {"name": o.name, "source": o.text, "type": o.type} for o in operations}


def _ios_legacy(operations: list[Packed]) -> dict[str, Any]:
    return {o.id: {"name": o.name, "source": o.text} for o in operations}


GENERATORS: Mapping[str, Generator] = {
    "apollo-ios": Generator(texts.apollo_ios, _v1),
    "apollo-ios-legacy": Generator(texts.apollo_ios, _ios_legacy),
    "apollo-kotlin": Generator(texts.apollo_kotlin, _operation_output),
    "apollo-kotlin-v1": Generator(texts.apollo_kotlin, _v1),
    "apollo-client": Generator(texts.apollo_client, _v1),
}


def pack(documents: Mapping[str, str], generator: str) -> str:
    """The manifest (JSON text) of all operations in `documents`, file name → GraphQL text.

    Operations are ordered by name; fragments may stand in any file. Raises ManifestError for what
    cannot be parsed, for a name used twice or missing, and for a generator nobody knows.
    """
    if generator not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise ManifestError("generator", "", f"is {generator!r}; known are {known}")
    how = GENERATORS[generator]
    operations, fragments = _definitions(documents)
    packed = []
    for name in sorted(operations):
        source, operation = operations[name]
        used = _used_fragments(operation, fragments, f"{source}: {name}")
        text = how.text(operation, used)
        packed.append(Packed(own_hash(text), name, operation.operation.value, text))
    return json.dumps(how.layout(packed), indent=2, ensure_ascii=False) + "\n"


def read_documents(folder: Path) -> dict[str, str]:
    """The `*.graphql` files of a folder. Raises ManifestError when there are none."""
    found = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.graphql"))}
    if not found:
        raise ManifestError(
            str(folder), "", "has no *.graphql files; put the app's operations there"
        )
    return found


def _definitions(
    documents: Mapping[str, str],
) -> tuple[dict[str, tuple[str, OperationDefinitionNode]], dict[str, FragmentDefinitionNode]]:
    operations: dict[str, tuple[str, OperationDefinitionNode]] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for source, text in documents.items():
        for node in _parsed(source, text).definitions:
            if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
                raise ManifestError(source, "", "defines types; keep only operations and fragments")
            if node.name is None:
                raise ManifestError(source, "", "has an anonymous operation; give it a name")
            name = node.name.value
            if name in operations or name in fragments:
                raise ManifestError(source, name, "is defined twice; names are the app's own ids")
            if isinstance(node, OperationDefinitionNode):
                operations[name] = (source, node)
            else:
                fragments[name] = node
    return operations, fragments


def _parsed(source: str, text: str) -> DocumentNode:
    try:
        return parse(text, no_location=True)
    except GraphQLSyntaxError as error:
        line, column = error.locations[0] if error.locations else (1, 1)
        where = f"line {line}, column {column}"
        raise ManifestError(source, where, error.message) from error


def _used_fragments(
    operation: OperationDefinitionNode, fragments: Fragments, where: str
) -> list[FragmentDefinitionNode]:
    """Every fragment used, directly or not; one that spreads others comes after them."""
    used: dict[str, FragmentDefinitionNode] = {}
    entered: set[str] = set()

    def follow(node: Node) -> None:
        for name in _spreads(node):
            if name in entered:
                continue
            if name not in fragments:
                raise ManifestError(where, name, "is no fragment of these files; add or rename it")
            entered.add(name)
            follow(fragments[name])
            used[name] = fragments[name]

    follow(operation)
    return list(used.values())


def _spreads(node: Node) -> list[str]:
    found: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: Any) -> None:
            found.append(spread.name.value)

    visit(node, Spreads())
    return found
