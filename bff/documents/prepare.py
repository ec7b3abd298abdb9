"""Text → prepared document, or a refusal that says where; no text makes it raise anything else."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)

from bff.config import DocumentsConfig
from bff.documents import limits
from bff.documents.facts import OperationFacts, describe
from bff.documents.memory import lighten
from bff.documents.model import Document, Operation
from bff.documents.trees import Read, Trees
from bff.errors import ParseFailed, ValidationFailed

Describe = Callable[[GraphQLSchema, DocumentNode], Sequence[OperationFacts]]

MAX_ERRORS = 10
MAX_MESSAGE = 300
# Units of graphql-core's own budget for comparing overlapping fields (its default is 500,000, half
# a second); a full-size honest document spends a few thousand.
OVERLAP_BUDGET = 50_000
# graphql-core reports these as syntax errors; for us they are limits. A test holds the wording.
LIMIT_MESSAGES = (
    "Syntax Error: Document contains more than ",
    "Syntax Error: Document is nested too deeply.",
)
TOO_ENTANGLED = (
    "Validation aborted: the document repeats fields and fragments too often; ask for each once."
)


@contextmanager
def _in_one_go() -> Iterator[None]:
    """Keeps Python's collector out while a document is being prepared. Validation leaves thousands
    of objects in cycles; met half-way they count as long-lived, and what collects those holds the
    loop for a third of a second, time and again. Afterwards they are gone in half a millisecond."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
            gc.collect(0)


class BoundedOverlapRule(OverlappingFieldsCanBeMergedRule):
    """Field merging (GraphQL spec 5.3.2) with less patience for unregistered documents."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = OVERLAP_BUDGET


class Preparer:
    """Prepares documents for one schema; holds no state between two of them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        config: DocumentsConfig,
        development: bool,
        describe: Describe = describe,
    ) -> None:
        self._schema = schema
        self._config = config
        self._development = development
        self._describe = describe
        self._measure = limits.Measure(schema, free_introspection=development)
        extra = () if development else (NoSchemaIntrospectionCustomRule,)
        self._rules: tuple[type[ASTValidationRule], ...] = (*specified_rules, *extra)
        self._bounded_rules = tuple(
            BoundedOverlapRule if rule is OverlappingFieldsCanBeMergedRule else rule
            for rule in self._rules
        )

    def parse(self, text: str, max_tokens: int | None) -> DocumentNode:
        """Raises ParseFailed; ValidationFailed beyond `max_tokens` tokens, or as many comments."""
        try:
            document = parse(
                text,
                max_lexical_tokens=max_tokens,
                max_comments=max_tokens,
                allow_empty_selection_sets=False,  # the released specification knows none
            )
        except GraphQLSyntaxError as error:
            problem = _entry(error)
            if error.message.startswith(LIMIT_MESSAGES):
                problem["message"] = problem["message"].removeprefix("Syntax Error: ")
                _refuse([problem])
            raise ParseFailed(problem["message"], errors=[problem]) from None
        return document

    @_in_one_go()
    def registered(
        self, text: str, document_id: str, trees: Trees, places: Sequence[int] = ()
    ) -> Document:
        """Prepare a reviewed document: no limits but those that keep the process safe. `trees`
        takes its tree; `places` are those by which releases know it.

        Raises ParseFailed, ValidationFailed.
        """
        ast = self.parse(text, None)
        found = self._measure(ast)
        _refuse(limits.unsafe(found))
        self._validate(ast, self._rules)
        hashed = text_hash(text)
        described = self._describe(self._schema, ast)
        read = trees.add(hashed, text, ast)
        operations = _operations(hashed, document_id, found, described, ast, read)
        return Document(hashed, operations, True, places=places)

    @_in_one_go()
    def unregistered(self, text: str, ast: DocumentNode) -> Document:
        """Prepare anybody's document, already parsed; its tokens are gone then.

        Raises ValidationFailed.
        """
        found = self._measure(ast)
        _refuse(limits.unsafe(found))
        _refuse(limits.exceeded(found, self._config))
        self._validate(ast, self._bounded_rules)
        hashed = text_hash(text)
        described = self._describe(self._schema, ast)
        operations = _operations(hashed, None, found, described, ast, lambda: ast)
        return Document(hashed, operations, False, held=lighten(ast))

    def _validate(self, ast: DocumentNode, rules: Collection[type[ASTValidationRule]]) -> None:
        errors = validate(
            self._schema,
            ast,
            rules,
            max_errors=MAX_ERRORS,
            hide_suggestions=not self._development,
        )
        _refuse([_entry(error) for error in errors])


def _operations(
    hashed: str,
    document_id: str | None,
    found: limits.Measured,
    described: Sequence[OperationFacts],
    ast: DocumentNode,
    read: Read,
) -> dict[str, Operation]:
    places = {id(node): place for place, node in enumerate(ast.definitions)}
    return {
        node.name.value if node.name else "": Operation(
            document_hash=hashed,
            document_id=document_id or f"sha256:{hashed}",
            name=node.name.value if node.name else None,
            type=node.operation.value,
            registered=document_id is not None,
            facts=facts,
            size=size,
            read=read,
            place=places[id(node)],
        )
        for (node, size), facts in zip(found.operations, described, strict=True)
    }


def text_hash(text: str) -> str:
    """Lower-case hex SHA-256 of the UTF-8 text.

    Raises ParseFailed where it has no UTF-8 (a lone surrogate from a JSON escape).
    """
    try:
        return hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - text.rfind("\n", 0, error.start)
        message = "Syntax Error: lone surrogate; send text that is valid Unicode."
        place = {"line": line, "column": column}
        raise ParseFailed(message, errors=[{"message": message, "locations": [place]}]) from None


def _refuse(errors: list[dict[str, Any]]) -> None:
    if errors:
        shown = errors[:MAX_ERRORS]
        raise ValidationFailed(shown[0]["message"], errors=shown)


def _entry(error: GraphQLError) -> dict[str, Any]:
    """A GraphQL error object: message and locations only. Aborted validation has no place of its
    own and gets the document's start; messages that quote the document are cut."""
    if not error.locations:
        return _plain(TOO_ENTANGLED if error.message == "Validation aborted." else error.message)
    places = [{"line": place.line, "column": place.column} for place in error.locations]
    return {"message": _short(error.message), "locations": places}


def _plain(message: str) -> dict[str, Any]:
    return {"message": _short(message), "locations": [{"line": 1, "column": 1}]}


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"
