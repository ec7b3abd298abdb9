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
    InlineFragmentNode,
    IntValueNode,
    Location,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Token,
    TokenKind,
    VariableNode,
)

from bff.config import DocumentsConfig

# Brackets of any kind, and selection sets with fragments followed: rules and executor recurse with
# both, and Python's stack is shared with whoever called. Holds for registered documents too.
MAX_NESTING = 50
MAX_DIRECTIVES = 50
# A page size that is only known at run time counts as this many.
ASSUMED_PAGE = 20
PAGE_SIZES = frozenset({"first", "last", "limit", "pageSize"})
INTROSPECTION = frozenset({"__schema", "__type"})
# Fragments that spread each other twice grow as 2^n: no need to know by how much it is too large.
CEILING = 10**9

_OPENING = (TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L)
_UNCOUNTED = (TokenKind.SOF, TokenKind.EOF, TokenKind.COMMENT)
_CLOSING = (TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R)

ErrorEntry = dict[str, Any]


class Size(NamedTuple):
    """A definition's size with its fragments counted where they are spread."""

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    cost: int = 0


class Measured(NamedTuple):
    """What there is to judge. `tokens` leaves out comments; the tokens named are the first beyond
    a limit, if any.

    Depth is fields below fields; aliases and cost count a fragment wherever it is spread. Cost is
    one a field, times the page sizes (`first`, `last`, `limit`) above it. With free introspection
    `__schema` and `__type` have neither depth nor cost below them: the tools of development send
    documents deeper than any screen.
    """

    tokens: int
    too_deep: Token | None
    too_many_directives: Token | None
    sizes: Sequence[tuple[Node, Size]]


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
    spreads: list[_Spread] = field(default_factory=list)


class _Visit(NamedTuple):
    selections: SelectionSetNode
    depth: int
    nesting: int
    times: int


def measure(document: DocumentNode, free_introspection: bool) -> Measured:
    """Measure a parsed document once, before anything else looks at it."""
    found = _scan(document)
    definitions = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    own = [_own(node.selection_set, free_introspection) for node in definitions]
    fragments = {
        node.name.value: size
        for node, size in zip(definitions, own, strict=True)
        if isinstance(node, FragmentDefinitionNode)
    }
    known: dict[str, Size] = {}
    for name in fragments:
        _resolve(name, fragments, known)
    sizes = [(node, _total(size, known)) for node, size in zip(definitions, own, strict=True)]
    return Measured(*found, sizes)


def unsafe(found: Measured) -> list[ErrorEntry]:
    """Why nobody's document, not even a registered one, may be validated: it nests too deeply."""
    if found.too_deep is not None:
        where = found.too_deep
        return [_entry(f"nests brackets deeper than {MAX_NESTING}", where.line, where.column)]
    return [
        _too_large("nests fields and fragments {} deep", size.nesting, MAX_NESTING, definition)
        for definition, size in found.sizes
        if size.nesting > MAX_NESTING
    ]


def exceeded(found: Measured, config: DocumentsConfig) -> list[ErrorEntry]:
    """Every limit an unregistered document goes beyond, as GraphQL errors with locations.

    Operations are judged, with the fragments they spread; a fragment nobody spreads is invalid.
    """
    if found.tokens > config.max_tokens:
        return [_entry(f"has more than {config.max_tokens} tokens", 1, 1)]
    errors = []
    if found.too_many_directives is not None:
        where = found.too_many_directives
        errors.append(
            _entry(f"has more than {MAX_DIRECTIVES} directives", where.line, where.column)
        )
    operations = [one for one in found.sizes if isinstance(one[0], OperationDefinitionNode)]
    for definition, size in operations:
        for what, value, limit in (
            ("has depth {}", size.depth, config.max_depth),
            ("has {} aliases", size.aliases, config.max_aliases),
            ("has cost {}", size.cost, config.max_cost),
        ):
            if value > limit:
                errors.append(_too_large(what, value, limit, definition))
    return errors


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


def _own(selections: SelectionSetNode, free_introspection: bool) -> _Own:
    own = _Own()
    pending = [_Visit(selections, 1, 1, 1)]
    while pending:
        visit = pending.pop()
        own.nesting = max(own.nesting, visit.nesting)
        for node in visit.selections.selections:
            if isinstance(node, FieldNode):
                below = _count(own, node, visit, free_introspection)
                if node.selection_set is not None:
                    pending.append(below._replace(selections=node.selection_set))
            else:
                _follow(own, node, visit, pending)
    return own


def _count(own: _Own, node: FieldNode, visit: _Visit, free_introspection: bool) -> _Visit:
    """Add one field; returns how what is below it counts."""
    own.aliases += node.alias is not None
    own.cost = min(CEILING, own.cost + visit.times)
    if visit.times:
        own.depth = max(own.depth, visit.depth)
    free = free_introspection and node.name.value in INTROSPECTION
    times = 0 if free else min(CEILING, visit.times * _page_size(node))
    return _Visit(visit.selections, visit.depth + 1, visit.nesting + 1, times)


def _follow(own: _Own, node: SelectionNode, visit: _Visit, pending: list[_Visit]) -> None:
    """A fragment adds nesting, but no depth: its fields stand beside those around it."""
    below = visit.nesting + 1
    if isinstance(node, InlineFragmentNode):
        pending.append(visit._replace(selections=node.selection_set, nesting=below))
    elif isinstance(node, FragmentSpreadNode):
        own.spreads.append(_Spread(node.name.value, visit.depth, below, visit.times))


def _page_size(node: FieldNode) -> int:
    size = 1
    for argument in node.arguments or ():
        if argument.name.value not in PAGE_SIZES:
            continue
        value = argument.value
        if isinstance(value, IntValueNode):
            digits = value.value
            size = max(size, int(digits) if len(digits) < len(str(CEILING)) else CEILING)
        elif isinstance(value, VariableNode):
            size = max(size, ASSUMED_PAGE)
    return size


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
    for spread in own.spreads:
        size = known.get(spread.name, Size())
        nesting = max(nesting, spread.nesting + size.nesting - 1)
        aliases = min(CEILING, aliases + size.aliases)
        cost = min(CEILING, cost + spread.times * size.cost)
        if spread.times and size.depth:
            depth = max(depth, spread.depth + size.depth - 1)
    return Size(depth, nesting, aliases, cost)


def _too_large(what: str, value: int, limit: int, definition: Node) -> ErrorEntry:
    shown = f"more than {CEILING - 1}" if value >= CEILING else str(value)
    location: Location | None = definition.loc
    line, column = (1, 1)
    if location is not None:
        line, column = location.start_token.line, location.start_token.column
    return _entry(f"{what.format(shown)}, {limit} is the limit", line, column)


def _entry(problem: str, line: int, column: int) -> ErrorEntry:
    return {
        "message": f"The document {problem}; ask for less, or register it with a release.",
        "locations": [{"line": line, "column": column}],
    }
