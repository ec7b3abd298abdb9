"""A registry's releases beside what gateways of the schema in force run for them: the documents
they were published with, or hot-fixes of those. Nothing is judged here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from graphql import GraphQLError, GraphQLSchema, build_schema, parse, validate

from bff.errors import ConfigError
from persisted_queries.hot_fixes import Running, patched_by, running
from persisted_queries.impact import Shipped
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published
from persisted_queries.registry import Registry


@dataclass
class Shipping:
    """The releases of one registry, as it is now; `current` is the schema in force. Methods raise
    RegistryError."""

    registry: Registry
    current: GraphQLSchema
    _texts: dict[str, str | None] = field(default_factory=dict)
    _schemas: dict[str, GraphQLSchema] = field(default_factory=dict)

    def of(self, release: Published) -> Shipped:
        """What a release sends now. Raises ConfigError where its schema cannot be read."""
        runs = [(one, self._instead(one, release.name)) for one in self.published(release)]
        patched = frozenset(now.hash for one, now in runs if now is not one)
        operations = tuple(now for _, now in runs)
        return Shipped(release, operations, self._built(release.schema), patched)

    def published(self, release: Published) -> tuple[ManifestOperation, ...]:
        """What it was published with; `of` has the same in the same order."""
        return self.registry.manifest(release.manifest)

    @cached_property
    def _fixes(self) -> Running:
        return running(self.registry)

    def _instead(self, operation: ManifestOperation, release: str) -> ManifestOperation:
        """What a gateway runs for a release; the operation itself where nothing replaces it, or
        where that does not fit the schema."""
        hashed = patched_by(self._fixes, operation.hash, release)
        if hashed is None:
            return operation
        if hashed not in self._texts:
            text = self.registry.document(hashed)
            self._texts[hashed] = text if _fits(text, self.current) else None
        body = self._texts[hashed]
        return operation if body is None else replace(operation, body=body, hash=hashed)

    def _built(self, hashed: str) -> GraphQLSchema:
        if hashed not in self._schemas:
            self._schemas[hashed] = built(f"schema {hashed}", self.registry.schema(hashed))
        return self._schemas[hashed]


def built(name: str, text: str) -> GraphQLSchema:
    """The schema of an SDL. Raises ConfigError, which calls it by `name`."""
    try:
        return build_schema(text)
    except (GraphQLError, TypeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}") from error


def _fits(text: str, schema: GraphQLSchema) -> bool:
    try:
        return not validate(schema, parse(text))
    except GraphQLError:
        return False
