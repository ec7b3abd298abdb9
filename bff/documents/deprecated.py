"""Since when fields are deprecated, by the schemas a platform's registry recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from graphql import (
    GraphQLError,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    parse,
)

from persisted_queries.model import Recorded
from persisted_queries.problem import RegistryError


class Deprecated:
    """Of a few fields (`Type.field`). Schemas are read from the newest back, as far as any of the
    fields is deprecated in them, and each once."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = frozenset(fields)
        self._known: dict[str, frozenset[str]] = {}

    def since(
        self, schemas: Sequence[Recorded], read: Callable[[str], str]
    ) -> Mapping[str, datetime]:
        """When the first schema was recorded in which a field is deprecated, and has been since.
        One that cannot be read ends the search: what was found stands, and may be too late."""
        found: dict[str, datetime] = {}
        left = self._fields
        for recorded in reversed(schemas):
            if not left:
                break
            try:
                left &= self._deprecated_in(recorded.schema, read)
            except (RegistryError, GraphQLError, UnicodeDecodeError):
                break
            found.update(dict.fromkeys(left, recorded.since))
        return found

    def _deprecated_in(self, schema: str, read: Callable[[str], str]) -> frozenset[str]:
        known = self._known.get(schema)
        if known is None:
            known = self._known[schema] = frozenset(_deprecated(read(schema))) & self._fields
        return known


def _deprecated(sdl: str) -> Iterator[str]:
    if "@deprecated" not in sdl:
        return
    for declared in parse(sdl, no_location=True).definitions:
        if isinstance(declared, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            for field in declared.fields or ():
                if any(one.name.value == "deprecated" for one in field.directives or ()):
                    yield f"{declared.name.value}.{field.name.value}"
