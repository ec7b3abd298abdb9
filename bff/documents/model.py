"""A prepared document and its operations: frozen values, shared by all requests.

Trees are read, not held: those of registered documents may be gone and are parsed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

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
    `read` gives the document's tree, where the operation is the definition at `place`.
    """

    document_hash: str
    document_id: str
    name: str | None
    type: OperationType
    registered: bool
    facts: OperationFacts
    size: Size
    read: Callable[[], DocumentNode]
    place: int

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        """The document's tree and, of that very tree, this operation's definition. Two calls may
        give two trees: whoever needs nodes for longer keeps them."""
        document = self.read()
        return document, cast("OperationDefinitionNode", document.definitions[self.place])

    @property
    def definition(self) -> OperationDefinitionNode:
        """The operation's definition; see `parsed`."""
        return self.parsed()[1]

    @property
    def screen(self) -> str | None:
        """The screen it answers, if the schema declares one."""
        return self.facts.screen

    @property
    def counted_as(self) -> str:
        """The document its use is counted under: its hash, "" for what nobody registered."""
        return self.document_hash if self.registered else ""

    def describe(self, set_attribute: Callable[[str, str | bool], object]) -> None:
        """Tell a span which operation this is."""
        set_attribute(Attribute.DOCUMENT_ID, self.document_id)
        set_attribute(Attribute.DOCUMENT_REGISTERED, self.registered)
        set_attribute(Attribute.OPERATION, self.name or "")
        set_attribute(Attribute.OPERATION_TYPE, self.type)
        set_attribute(Attribute.SCREEN, self.facts.screen or "")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A valid document. `operations` is keyed by name, "" for the anonymous one; `held` is the
    memory an unregistered one takes, in bytes; `places` are those by which releases know a
    registered one."""

    hash: str
    operations: Mapping[str, Operation]
    registered: bool
    held: int = 0
    places: Sequence[int] = ()
    # The only operation, if there is one: the usual case, and the fewest steps through memory that
    # ten thousand documents keep cold.
    only: Operation | None = field(init=False)

    def __post_init__(self) -> None:
        (only, *others) = self.operations.values() or (None,)
        object.__setattr__(self, "only", None if others else only)

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
        elif self.only is not None:
            return self.only
        else:
            problem = "the document has several operations: send operationName"
        if names_shown:
            names = ", ".join(existing or "(anonymous)" for existing in self.operations)
            problem = f"{problem}; it has {names}"
        start = {"line": 1, "column": 1}
        raise ValidationFailed(problem, errors=[{"message": problem, "locations": [start]}])
