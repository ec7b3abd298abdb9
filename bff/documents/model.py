"""A prepared document and its operations: frozen values, shared by all requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphql import DocumentNode, OperationDefinitionNode

from bff.documents.facts import OperationFacts
from bff.documents.limits import Size
from bff.errors import ValidationFailed
from bff.request import OperationType
from bff.telemetry.spans import Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a valid document.

    `document_hash`: lower-case hex SHA-256 of the text. `document_id`: the manifest's id of a
    registered document, else `sha256:<document_hash>`. `name` is None for an anonymous operation.
    """

    document_hash: str
    document_id: str
    name: str | None
    type: OperationType
    definition: OperationDefinitionNode
    document_ast: DocumentNode
    registered: bool
    facts: OperationFacts
    size: Size

    def describe(self, set_attribute: Callable[[str, str | bool], object]) -> None:
        """Tell a span which operation this is."""
        set_attribute(Attribute.DOCUMENT_ID, self.document_id)
        set_attribute(Attribute.DOCUMENT_REGISTERED, self.registered)
        set_attribute(Attribute.OPERATION, self.name or "")
        set_attribute(Attribute.OPERATION_TYPE, self.type)
        set_attribute(Attribute.SCREEN, self.facts.screen or "")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A valid document. `operations` is keyed by name, "" for the anonymous one; `tokens` is how
    many the text has; `held` is the memory an unregistered one takes, in bytes."""

    hash: str
    ast: DocumentNode
    operations: Mapping[str, Operation]
    registered: bool
    tokens: int
    held: int = 0

    def choose(self, name: str | None, names_shown: bool) -> Operation:
        """The operation a request means (GraphQL spec, Executing Requests, GetOperation); an empty
        name counts as none.

        Raises ValidationFailed, naming the operations that exist only where `names_shown`.
        """
        if name:
            found = self.operations.get(name)
            if found is not None:
                return found
            problem = "operationName names no operation of the document"
        else:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            problem = "the document has several operations: send operationName"
        if names_shown:
            names = ", ".join(existing or "(anonymous)" for existing in self.operations)
            problem = f"{problem}; it has {names}"
        start = {"line": 1, "column": 1}
        raise ValidationFailed(problem, errors=[{"message": problem, "locations": [start]}])
