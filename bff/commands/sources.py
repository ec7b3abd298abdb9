"""Where an app's operations are defined, for whoever reads a finding: in its `.graphql` files, else
in its manifest. What is found is judged elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graphql import GraphQLError, OperationDefinitionNode, parse

from bff.commands.findings import Place
from persisted_queries.manifest import ManifestOperation


@dataclass
class Sources:
    """The folder of the files, searched below as well, and the manifest."""

    folder: Path
    manifest: Path

    def place(self, operation: ManifestOperation) -> Place:
        """The file that defines it, else the manifest, at its line."""
        return self._defined.get(operation.name) or Place(self.manifest, self._line(operation))

    @cached_property
    def _defined(self) -> dict[str, Place]:
        found: dict[str, Place] = {}
        for path in sorted(self.folder.glob("**/*.graphql")):
            found.update(_operations_in(path))
        return found

    def _line(self, operation: ManifestOperation) -> int:
        before, found, _ = self._text.partition(operation.id)
        return before.count("\n") + 1 if found else 1

    @cached_property
    def _text(self) -> str:
        return self.manifest.read_text(encoding="utf-8", errors="replace")


def _operations_in(path: Path) -> Iterator[tuple[str, Place]]:
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, GraphQLError):
        return  # the manifest is what counts; this file only helps to find the way
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.name and node.loc:
            line = node.loc.source.get_location(node.loc.start).line
            yield node.name.value, Place(path, line)
