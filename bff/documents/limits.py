"""How large an unregistered document is, in time linear to its text; the rules of GraphQL are not
its matter.

Runs before validation, so that no rule whose work grows faster than the text sees a bomb.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    Location,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Token,
    TokenKind,
    get_named_type,
)

from bff.config import DocumentsConfig
from bff.documents.pages import CEILING, Pages

# Brackets of any kind, and selection sets with fragments followed: rules and executor recurse with
# both, and Python's stack is shared with whoever called. Holds for registered documents too.
MAX_NESTING = 50
MAX_DIRECTIVES = 50
# Of one document, chosen or not: each is validated, and a fragment is merged anew in each of them.
MAX_OPERATIONS = 10
# What a tool asks of the schema is one field, or `__schema` beside `__type`.
MAX_INTROSPECTIONS = 2
INTROSPECTION = frozenset({"__schema", "__type"})

_OPENING = (TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L)
_CLOSING = (TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R)
_UNCOUNTED = (TokenKind.SOF, TokenKind.EOF, TokenKind.COMMENT)

ErrorEntry = dict[str, Any]


class Size(NamedTuple):
    """A definition's size with its fragments counted where they are spread."""

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    cost: int = 0
    introspections: int = 0


class Measured(NamedTuple):
    """What there is to judge. `tokens` leaves out comments; the tokens named are the first beyond
    a limit, if any.

    Depth is fields below fields; aliases, cost and introspections (`__schema`, `__type`) count a
    fragment wherever it is spread. Cost is one a field, times the sizes of the pages and lists
    above it (`Pages`). With free introspection there is neither depth nor cost below `__schema`
    and `__type`: the tools of development send documents deeper than any screen.
    """

    tokens: int
    too_deep: Token | None
    too_many_directives: Token | None
    operations: Sequence[tuple[OperationDefinitionNode, Size]]
    fragments: Sequence[tuple[FragmentDefinitionNode, Size]]


class _Spread(NamedTuple):
    """Where a fragment is spread; `times` is 0 below introspection, which costs nothing."""

    name: str
    depth: int
    nesting: int
    times: int


@dataclass(slots=True)
class _Own:
    """A definition's size without its fragments."""

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    cost: int = 0
    introspections: int = 0
    spreads: list[_Spread] = field(default_factory=list)


class _Visit(NamedTuple):
    selections: SelectionSetNode
    parent: GraphQLNamedType | None
    depth: int
    nesting: int
    times: int


class Measure:
    """Measures documents of one schema. They need not be valid: what the schema does not know
    counts by its text alone."""

    def __init__(self, schema: GraphQLSchema, free_introspection: bool) -> None:
        self._schema = schema
        self._pages = Pages(schema)
        self._free_introspection = free_introspection

    def __call__(self, document: DocumentNode) -> Measured:
        """Measure a parsed document once, before anything else looks at it."""
        nodes = document.definitions
        operations = [
            (node, self._own(node)) for node in nodes if isinstance(node, OperationDefinitionNode)
        ]
        fragments = [
            (node, self._own(node)) for node in nodes if isinstance(node, FragmentDefinitionNode)
        ]
        known = _resolved({node.name.value: own for node, own in fragments})
        return Measured(
            *_scan(document),
            [(node, _total(own, known)) for node, own in operations],
            [(node, _total(own, known)) for node, own in fragments],
        )

    def _own(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Own:
        own = _Own()
        if isinstance(definition, OperationDefinitionNode):
            root: GraphQLNamedType | None = self._schema.get_root_type(definition.operation)
        else:
            root = self._pages.named(definition.type_condition.name.value)
        pending = [_Visit(definition.selection_set, root, 1, 1, 1)]
        while pending:
            visit = pending.pop()
            own.nesting = max(own.nesting, visit.nesting)
            for node in visit.selections.selections:
                if isinstance(node, FieldNode):
                    below = self._count(own, node, visit)
                    if node.selection_set is not None:
                        pending.append(below._replace(selections=node.selection_set))
                else:
                    self._follow(own, node, visit, pending)
        return own

    def _count(self, own: _Own, node: FieldNode, visit: _Visit) -> _Visit:
        """Add one field; returns how what is below it counts."""
        own.aliases += node.alias is not None
        own.cost = min(CEILING, own.cost + visit.times)
        if visit.times:
            own.depth = max(own.depth, visit.depth)
        introspects = node.name.value in INTROSPECTION
        own.introspections += introspects
        field = self._pages.field(visit.parent, node.name.value)
        times = 0
        if not (introspects and self._free_introspection):
            times = min(CEILING, visit.times * self._pages.times(visit.parent, field, node))
        below = get_named_type(field.type) if field is not None else None
        return _Visit(visit.selections, below, visit.depth + 1, visit.nesting + 1, times)

    def _follow(self, own: _Own, node: SelectionNode, visit: _Visit, pending: list[_Visit]) -> None:
        """A fragment adds nesting, but no depth: its fields stand beside those around it."""
        nesting = visit.nesting + 1
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            parent = self._pages.named(condition.name.value) if condition else visit.parent
            inner = visit._replace(selections=node.selection_set, parent=parent, nesting=nesting)
            pending.append(inner)
        elif isinstance(node, FragmentSpreadNode):
            own.spreads.append(_Spread(node.name.value, visit.depth, nesting, visit.times))


def _resolved(fragments: Mapping[str, _Own]) -> dict[str, Size]:
    known: dict[str, Size] = {}
    for name in fragments:
        _resolve(name, fragments, known)
    return known


def unsafe(found: Measured) -> list[ErrorEntry]:
    """Why nobody's document, not even a registered one, may be validated: it nests too deeply."""
    if found.too_deep is not None:
        where = found.too_deep
        return [_entry(f"nests brackets deeper than {MAX_NESTING}", where.line, where.column)]
    return [
        _too_large("nests fields and fragments {} deep", size.nesting, MAX_NESTING, definition)
        for definition, size in (*found.operations, *found.fragments)
        if size.nesting > MAX_NESTING
    ]


def exceeded(found: Measured, config: DocumentsConfig) -> list[ErrorEntry]:
    """Every limit an unregistered document goes beyond, as GraphQL errors with locations.

    Operations are judged, with the fragments they spread; a fragment nobody spreads is invalid.
    """
    if found.tokens > config.max_tokens:
        return [_entry(f"has more than {config.max_tokens} tokens", 1, 1)]
    operations = found.operations
    errors = []
    if len(operations) > MAX_OPERATIONS:
        first, _ = operations[MAX_OPERATIONS]
        return [_too_large("has {} operations", len(operations), MAX_OPERATIONS, first)]
    if found.too_many_directives is not None:
        where = found.too_many_directives
        errors.append(
            _entry(f"has more than {MAX_DIRECTIVES} directives", where.line, where.column)
        )
    errors += _introspections(operations)
    for definition, size in operations:
        for what, value, limit in (
            ("has depth {}", size.depth, config.max_depth),
            ("has {} aliases", size.aliases, config.max_aliases),
            ("has cost {}", size.cost, config.max_cost),
        ):
            if value > limit:
                errors.append(_too_large(what, value, limit, definition))
    return errors


def spent(definition: Node, max_cost: int) -> ErrorEntry:
    """Why an operation within every limit of its own is refused beside others."""
    line, column = _place(definition.loc)
    problem = (
        f"costs more than is left of {max_cost}, or of {MAX_INTROSPECTIONS} times __schema and "
        "__type, for all unregistered operations of one request"
    )
    return _entry(problem, line, column)


def _introspections(operations: Sequence[tuple[OperationDefinitionNode, Size]]) -> list[ErrorEntry]:
    """Nothing below them counts, so they are counted, over all operations together."""
    total = 0
    for definition, size in operations:
        total += size.introspections
        if total > MAX_INTROSPECTIONS:
            what = "asks {} times for __schema or __type"
            return [_too_large(what, total, MAX_INTROSPECTIONS, definition)]
    return []


def _scan(document: DocumentNode) -> tuple[int, Token | None, Token | None]:
    """Along the parser's token chain: how many, the first nested too deeply, the first directive
    too many."""
    tokens = directives = open_brackets = 0
    too_deep: Token | None = None
    too_many: Token | None = None
    token = document.loc.start_token if document.loc else None
    while token is not None:
        kind = token.kind
        if kind not in _UNCOUNTED:
            tokens += 1
        if kind in _OPENING:
            open_brackets += 1
            if open_brackets > MAX_NESTING:
                too_deep = too_deep or token
        elif kind in _CLOSING:
            open_brackets -= 1
        elif kind is TokenKind.AT:
            directives += 1
            if directives > MAX_DIRECTIVES:
                too_many = too_many or token
        token = token.next
    return tokens, too_deep, too_many


def _resolve(start: str, fragments: Mapping[str, _Own], known: dict[str, Size]) -> None:
    """Sizes of a fragment and all it spreads, deepest first, without recursion. A spread that
    closes a cycle adds nothing: validation refuses the cycle itself."""
    if start in known:
        return
    path = [(start, iter(fragments[start].spreads))]
    entered = {start}
    while path:
        name, spreads = path[-1]
        for spread in spreads:
            if spread.name in fragments and spread.name not in entered and spread.name not in known:
                path.append((spread.name, iter(fragments[spread.name].spreads)))
                entered.add(spread.name)
                break
        else:
            path.pop()
            known[name] = _total(fragments[name], known)


def _total(own: _Own, known: Mapping[str, Size]) -> Size:
    depth, nesting, aliases, cost = own.depth, own.nesting, own.aliases, own.cost
    introspections = own.introspections
    for spread in own.spreads:
        size = known.get(spread.name, Size())
        nesting = max(nesting, spread.nesting + size.nesting - 1)
        aliases = min(CEILING, aliases + size.aliases)
        introspections = min(CEILING, introspections + size.introspections)
        cost = min(CEILING, cost + spread.times * size.cost)
        if spread.times and size.depth:
            depth = max(depth, spread.depth + size.depth - 1)
    return Size(depth, nesting, aliases, cost, introspections)


def _too_large(what: str, value: int, limit: int, definition: Node) -> ErrorEntry:
    shown = f"more than {CEILING - 1}" if value >= CEILING else str(value)
    line, column = _place(definition.loc)
    return _entry(f"{what.format(shown)}, {limit} is the limit", line, column)


def _place(location: Location | None) -> tuple[int, int]:
    if location is None:
        return 1, 1
    found = location.source.get_location(location.start)
    return found.line, found.column


def _entry(problem: str, line: int, column: int) -> ErrorEntry:
    return {
        "message": f"The document {problem}; ask for less, or register it with a release.",
        "locations": [{"line": line, "column": column}],
    }
