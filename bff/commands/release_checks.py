"""What must hold of a release's documents before it is published, as findings with their places.

A document must be valid for the schema its app was built from and for the one in force, be compiled
(or be allowed to run generic), and stay within its screen's budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.language import VariableDefinitionNode

from bff.commands.findings import Finding, Level, Place, failed
from bff.commands.plan import budget_path, read_budget
from bff.commands.sources import Sources
from bff.commands.weigh import NotWeighedError, Scale
from bff.config import PlatformConfig, Settings
from bff.documents.limits import Measure
from bff.documents.model import Document
from bff.documents.prepare import Preparer
from bff.documents.trees import Trees
from bff.errors import ConfigError, ParseFailed, ValidationFailed
from bff.plans.compiler import NotCompiled
from bff.plans.execute import Executor
from bff.plans.planner import compile_alone
from persisted_queries.budgets import (
    BUDGETS,
    Budget,
    BudgetError,
    Budgets,
    Figures,
    Weighed,
    figures_of,
    read_budgets,
    weigh,
)
from persisted_queries.manifest import Manifest, ManifestOperation
from persisted_queries.shape import compatible

MAX_SHOWN = 3


class Earlier(NamedTuple):
    """The release before: its name, and its operations by name."""

    name: str
    operations: Mapping[str, ManifestOperation]


class Reviewed(NamedTuple):
    """The figures that people agreed on: budgets with their file, and planned calls by operation
    with theirs."""

    budgets: Budgets
    file: Path
    calls: Mapping[str, int]
    calls_file: Path


def reviewed_of(config: PlatformConfig) -> Reviewed:
    """The figures in a platform's files. Raises ConfigError."""
    file = config.releases.parent / BUDGETS
    try:
        budgets = read_budgets(file)
    except BudgetError as error:
        raise ConfigError(str(error)) from error
    return Reviewed(budgets, file, read_budget(config), budget_path(config))


@dataclass
class Result:
    """What the checks found, and every figure there is."""

    findings: list[Finding] = field(default_factory=list)
    weighed: list[Weighed] = field(default_factory=list)


@dataclass
class Checks:
    """The checks of one release. `release` is how it is told to people; `built` the schema its app
    was generated from, `now` the one in force. Without `scale` no bytes are weighed."""

    release: str
    settings: Settings
    built: GraphQLSchema
    now: GraphQLSchema
    reviewed: Reviewed
    sources: Sources
    earlier: Earlier | None = None
    scale: Scale | None = None

    def run(self, manifest: Manifest) -> Result:
        """Judge every operation of a manifest. Raises ConfigError where no gateway answers."""
        result = Result()
        for warning in manifest.warnings:
            place = Place(self.sources.manifest)
            told = f"{warning.operation_id}: {warning.message}"
            result.findings.append(Finding("warning", "id", told, place))
        for operation in manifest.operations:
            found = list(self._document(operation))
            result.findings += found
            if not failed(found):
                result.findings += self._judged(operation, result.weighed)
        return result

    def hot_fixed(self, operation: ManifestOperation, patched: str) -> Iterator[Finding]:
        """A hot-fix for all releases was proven for those that there were: not for this one."""
        problems = compatible(operation.body, patched, self.built, self.now)
        if problems:
            told = "; ".join(str(one) for one in problems[:MAX_SHOWN])
            yield self._finding(
                "error",
                operation,
                "a hot-fix for all releases replaces this document, and this build could not read "
                f"its answer: {told}; undo it, or remap the releases that need it one by one",
            )

    def replacing(self, operation: ManifestOperation) -> Iterator[Finding]:
        """Judge a text that is to run in place of a shipped one. The build's schema need not know
        what it asks for: that the build can read the answer is proven by `compatible`."""
        found = list(self._served(operation))
        yield from found
        if not failed(found):
            yield from self._judged(operation, [])

    def _document(self, operation: ManifestOperation) -> Iterator[Finding]:
        """What a gateway would make of it, and the schema that the app was built with."""
        yield from self._served(operation)
        try:
            document = _parsed(operation.body)
        except GraphQLError:
            return  # which was told
        errors = validate(self.built, document)
        if errors:
            told = "; ".join(_placed(error) for error in errors[:MAX_SHOWN])
            yield self._finding("error", operation, f"is refused by the build's schema: {told}")

    def _served(self, operation: ManifestOperation) -> Iterator[Finding]:
        """What a gateway would leave out, or run generic."""
        try:
            document = self._preparer.registered(operation.body, operation.id, Trees(0))
            yield from self._generic(operation, document)
        except ParseFailed as error:
            yield self._finding("error", operation, f"is no GraphQL: {error}")
        except ValidationFailed as error:
            yield self._finding("error", operation, f"is refused by the schema in force: {error}")

    def _generic(self, operation: ManifestOperation, document: Document) -> Iterator[Finding]:
        """Told, or refused where gateways would leave the document out."""
        if document.only is None or self.settings.plans.mode == "generic":
            return
        try:
            self._executor.foresee(document.only)
        except ValidationFailed as error:
            refused = self.settings.plans.require_compiled == "refuse"
            yield self._finding("error" if refused else "warning", operation, str(error))

    def _judged(self, operation: ManifestOperation, weighed: list[Weighed]) -> list[Finding]:
        findings: list[Finding] = []
        budget = self.reviewed.budgets.operations.get(operation.name)
        figures = self._figures(operation, budget or Budget(), findings)
        weighed_now = list(
            weigh(
                operation.name,
                self.release,
                figures,
                budget or Budget(),
                self.reviewed.calls.get(operation.name),
                self._before(operation, figures, budget or Budget()),
            )
        )
        weighed += weighed_now
        findings += [self._over(operation, one) for one in weighed_now if one.is_over]
        if budget is None and operation.type == "query":
            findings.append(self._no_budget(operation, figures))
        return findings

    def _figures(
        self, operation: ManifestOperation, budget: Budget, findings: list[Finding]
    ) -> Figures:
        """Of a valid operation; what cannot be weighed is told."""
        figures = figures_of(operation, self._price, self._calls)
        try:
            return figures._replace(bytes=self._bytes(operation, budget))
        except NotWeighedError as error:
            level: Level = "warning" if budget.bytes is None else "error"
            told = f"cannot be weighed: {error}"
            findings.append(self._finding(level, operation, told))
            return figures

    def _before(
        self, operation: ManifestOperation, figures: Figures, budget: Budget
    ) -> tuple[str, Figures] | None:
        """The same operation as the release before sends it, by today's schema and data: what
        grew is the app's doing."""
        before = self.earlier.operations.get(operation.name) if self.earlier else None
        if self.earlier is None or before is None:
            return None
        if before.hash == operation.hash:
            return self.earlier.name, figures
        if failed(self._document(before)):
            return None
        return self.earlier.name, self._figures(before, budget, [])

    def _bytes(self, operation: ManifestOperation, budget: Budget) -> int | None:
        """Only of queries: what writes is not run. Raises NotWeighedError."""
        if self.scale is None or operation.type != "query":
            return None
        declared = {one.variable.name.value: one for one in _variables(operation)}
        missing = [
            f"${name}"
            for name, one in declared.items()
            if _is_required(one) and name not in budget.variables
        ]
        if missing:
            raise NotWeighedError(
                f"needs {', '.join(missing)}; give {operation.name}.variables in "
                f"{Place(self.reviewed.file).shown}"
            )
        given = {name: value for name, value in budget.variables.items() if name in declared}
        return self.scale.weigh(operation, given)

    def _price(self, operation: ManifestOperation) -> tuple[int, int]:
        ((_, size),) = self._measure(_parsed(operation.body)).operations
        return size.depth, size.cost

    def _calls(self, operation: ManifestOperation) -> int | None:
        document = _parsed(operation.body)
        (definition,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
        try:
            return compile_alone(self.now, document, definition, {}).plan.calls
        except NotCompiled:
            return None  # which was told

    def _over(self, operation: ManifestOperation, one: Weighed) -> Finding:
        file = self.reviewed.calls_file if one.unit == "calls" else self.reviewed.file
        raised = f"ask for less, or raise it in {Place(file).shown} for review"
        return Finding("error", "budget", f"{one}; {raised}", self.sources.place(operation))

    def _no_budget(self, operation: ManifestOperation, figures: Figures) -> Finding:
        known = [
            f"{unit}: {value}"
            for unit, value in figures._asdict().items()
            if value is not None and unit != "calls"
        ]
        file = Place(self.reviewed.file).shown
        told = f"has no budget; add to {file}: {operation.name}: {{{', '.join(known)}}}"
        return self._finding("warning", operation, told)

    def _finding(self, level: Level, operation: ManifestOperation, message: str) -> Finding:
        return Finding(level, operation.name, message, self.sources.place(operation))

    @cached_property
    def _preparer(self) -> Preparer:
        return Preparer(self.now, self.settings.documents, self.settings.development)

    @cached_property
    def _executor(self) -> Executor:
        return Executor(self.now, hide_suggestions=False, require="refuse")

    @cached_property
    def _measure(self) -> Measure:
        return Measure(self.now, free_introspection=False)


@lru_cache(maxsize=2)  # an operation is looked at again and again, beside its like of before
def _parsed(text: str) -> DocumentNode:
    return parse(text)


def _variables(operation: ManifestOperation) -> Iterator[VariableDefinitionNode]:
    for node in _parsed(operation.body).definitions:
        if isinstance(node, OperationDefinitionNode):
            yield from node.variable_definitions or ()


def _is_required(definition: VariableDefinitionNode) -> bool:
    return definition.default_value is None and definition.type.kind == "non_null_type"


def _placed(error: GraphQLError) -> str:
    where = error.locations[0] if error.locations else None
    return f"line {where.line}, column {where.column}: {error.message}" if where else error.message
