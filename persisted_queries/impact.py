"""Which documents of which releases a schema change breaks or endangers, and which of those the
decode fence protects. Whether that forbids the change is `removal.py`'s.

A release is judged by the schema its code was generated from: what its app can decode is in there.
What was broken for it before the change is not laid to the change. A hot-fix was written against,
and proven for, the schema of today, and is judged by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from graphql import (
    DocumentNode,
    EnumValueNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNamedType,
    GraphQLOutputType,
    GraphQLSchema,
    Node,
    StringValueNode,
    get_nullable_type,
    is_named_type,
    is_non_null_type,
    parse,
    print_schema,
    validate,
)

from persisted_queries.changes.compare import compare
from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.felt import owner_of, touching
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published
from persisted_queries.uses import Uses, uses_of

FENCED = frozenset({Kind.ENUM_VALUE_ADDED, Kind.UNION_MEMBER_ADDED, Kind.INTERFACE_ADDED})
FALLBACK = "fallback"
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shipped:
    """A release beside what it sends now (hot-fixes applied). `built` is the schema its code was
    generated from, None where nobody kept it: then it is taken to know today's, and no fence can
    protect it. `hot_fixed`: hashes of texts that run in place of its own, and may read what its
    schema has not. `name` is `<version>+<build>`."""

    release: Published
    operations: tuple[ManifestOperation, ...]
    built: GraphQLSchema | None = None
    hot_fixed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.release.name


@dataclass(frozen=True, slots=True)
class Finding:
    """What a change does to one document. `verdict` is BREAKING or DANGEROUS; `coordinate` is the
    change's, "" where the validator alone knows; `places` are lines and columns, from 1, in the
    document's text. `protected`: the fence keeps what is new from the build; `effect` is what it
    gets instead."""

    verdict: Verdict
    kind: Kind | None
    coordinate: str
    message: str
    places: tuple[Place, ...]
    protected: bool = False
    effect: str = ""
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that a change breaks or endangers."""

    operation: ManifestOperation
    findings: tuple[Finding, ...]

    @property
    def breaks(self) -> bool:
        return any(one.verdict is Verdict.BREAKING for one in self.findings)


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change does to one release: only documents it does something to."""

    shipped: Shipped
    hits: tuple[Hit, ...]

    @property
    def breaks(self) -> bool:
        return any(hit.breaks for hit in self.hits)


def impacts(
    proposed: GraphQLSchema, current: GraphQLSchema, releases: Iterable[Shipped]
) -> Iterator[Impact]:
    """What going from `current` to `proposed` does to each release, in the order they are given;
    a release it does nothing to has no hits. Documents that several send are judged once."""
    judges: dict[str, _Judge] = {}
    now = print_schema(current)
    todays = _Judge(current, current, proposed, fenced=True)
    for shipped in releases:
        built = shipped.built
        then = print_schema(built) if built is not None else ""
        judge = judges.get(then)
        if judge is None:
            own = built if built is not None and then != now else current
            judge = judges[then] = _Judge(own, current, proposed, fenced=built is not None)
        hits = (
            (one, (todays if one.hash in shipped.hot_fixed else judge).findings(one))
            for one in shipped.operations
        )
        yield Impact(shipped, tuple(Hit(one, found) for one, found in hits if found))


class _Judge:
    """Judges documents for all releases that were built from one schema."""

    def __init__(
        self, own: GraphQLSchema, current: GraphQLSchema, proposed: GraphQLSchema, *, fenced: bool
    ) -> None:
        self._own, self._current, self._proposed = own, current, proposed
        self._changes = _felt(compare(own, proposed))
        self._before = [] if own is current else _felt(compare(own, current))
        # A document may be hurt by what is new to the platform and not to the build (a member that
        # comes back), hence both comparisons.
        self._moved = bool(self._changes) and bool(_felt(compare(current, proposed)))
        # Nothing else can make a valid document invalid; a narrower type does where two fields
        # under one name must have the same.
        self._may_invalidate = any(
            one.verdict is Verdict.BREAKING or one.kind is Kind.FIELD_TYPE_CHANGED
            for one in self._changes
        )
        self._fenced = fenced
        self._known: dict[str, tuple[Finding, ...]] = {}

    def findings(self, operation: ManifestOperation) -> tuple[Finding, ...]:
        if not self._moved:
            return ()
        found = self._known.get(operation.hash)
        if found is None:
            found = self._known[operation.hash] = tuple(self._judged(operation.body))
        return found

    def _judged(self, text: str) -> Iterator[Finding]:
        try:
            document = parse(text)
        except GraphQLError:
            return  # it was no document before the change either
        uses = uses_of(self._own, document)
        before = {_key(change) for change, _ in touching(self._before, uses)}
        told: set[Place] = set()
        for change, nodes in touching(self._changes, uses):
            if change.verdict is Verdict.BREAKING:
                told.update(map(_place, nodes))
            if _key(change) not in before:
                yield self._finding(change, nodes, uses)
        if self._may_invalidate:
            yield from self._invalid(document, told)

    def _finding(self, change: Change, nodes: list[Node], uses: Uses) -> Finding:
        protected = self._fenced and change.kind in FENCED
        effect = _effect(self._proposed, self._own, change, uses) if protected else ""
        places = tuple(dict.fromkeys(map(_place, nodes)))
        return Finding(
            change.verdict,
            change.kind,
            change.coordinate,
            change.message,
            places,
            protected,
            effect,
            change.way_out,
        )

    def _invalid(self, document: DocumentNode, told: set[Place]) -> Iterator[Finding]:
        """What only the validator sees, apart from what is told already or was so before."""
        errors = [
            (error.message, tuple((at.line, at.column) for at in error.locations or ()))
            for error in validate(self._proposed, document)
        ]
        left = [(message, places) for message, places in errors if told.isdisjoint(places)]
        if not left:
            return
        before = {error.message for error in validate(self._current, document)}
        for message, places in left:
            if message not in before:
                yield Finding(Verdict.BREAKING, None, "", message, places)


def _felt(changes: Iterable[Change]) -> list[Change]:
    return [one for one in changes if one.verdict is not Verdict.SAFE]


def _key(change: Change) -> tuple[Kind, str, str]:
    return change.kind, change.coordinate, change.message


def _place(node: Node) -> Place:
    start = node.loc.start_token if node.loc is not None else None
    return (start.line, start.column) if start is not None else (1, 1)


def _effect(proposed: GraphQLSchema, own: GraphQLSchema, change: Change, uses: Uses) -> str:
    """What a fenced build gets in place of what it does not know, in words; by position, where the
    document asks for it at several."""
    name = change.other if change.kind is Kind.INTERFACE_ADDED else owner_of(change)
    member = _fallback(proposed.get_type(name))
    known = own.get_type(name)
    if isinstance(known, GraphQLEnumType) and member in known.values:
        return member
    found = (_instead(one) for one in uses.output_types.get(name, ()))
    return ", ".join(dict.fromkeys(found))


def _fallback(named: GraphQLNamedType | None) -> str:
    """The member that `@fallback(member)` on an enum names; "" without."""
    node = named.ast_node if named is not None else None
    for directive in (node.directives or ()) if node is not None else ():
        for argument in directive.arguments or ():
            value = argument.value
            if directive.name.value == FALLBACK and isinstance(
                value, EnumValueNode | StringValueNode
            ):
                return value.value
    return ""


def _instead(wrapped: GraphQLOutputType) -> str:
    within: GraphQLOutputType = wrapped
    in_list = False
    while not is_named_type(inner := get_nullable_type(within)):
        within, in_list = cast("GraphQLList[GraphQLOutputType]", inner).of_type, True
    if in_list:
        return "the item is dropped" if is_non_null_type(within) else "null as the item"
    return "null in place of the nearest nullable parent" if is_non_null_type(within) else "null"
