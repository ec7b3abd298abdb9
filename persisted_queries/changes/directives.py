"""Compares directives: their definitions, and where the schema applies them.

A document can hold only directives with an executable location; the definition of any other is the
schema's own affair, and changing it is safe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

from graphql import (
    ConstDirectiveNode,
    DirectiveLocation,
    GraphQLDirective,
    is_specified_directive,
    print_ast,
)

from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.changes.values import DIRECTIVE_ARGUMENT, compare_arguments
from persisted_queries.changes.words import described

EXECUTABLE = frozenset(
    {
        DirectiveLocation.QUERY,
        DirectiveLocation.MUTATION,
        DirectiveLocation.SUBSCRIPTION,
        DirectiveLocation.FIELD,
        DirectiveLocation.FRAGMENT_DEFINITION,
        DirectiveLocation.FRAGMENT_SPREAD,
        DirectiveLocation.INLINE_FRAGMENT,
        DirectiveLocation.VARIABLE_DEFINITION,
    }
)
# Compared as what they mean, not as directives.
MEANT = frozenset({"deprecated", "oneOf"})
# What the gateway's own directives do to a release that knows nothing of them; (put on, taken off,
# given other arguments). Of any other we cannot know: DANGEROUS.
OURS: Mapping[str, tuple[Verdict, Verdict, Verdict]] = {
    "screen": (Verdict.SAFE, Verdict.SAFE, Verdict.SAFE),
    "sunset": (Verdict.SAFE, Verdict.SAFE, Verdict.DANGEROUS),
    "section": (Verdict.DANGEROUS, Verdict.SAFE, Verdict.DANGEROUS),
    "alwaysAllowed": (Verdict.SAFE, Verdict.DANGEROUS, Verdict.SAFE),
    "requires": (Verdict.DANGEROUS, Verdict.SAFE, Verdict.DANGEROUS),
    "fallback": (Verdict.SAFE, Verdict.DANGEROUS, Verdict.DANGEROUS),
}
UNKNOWN = (Verdict.DANGEROUS, Verdict.DANGEROUS, Verdict.DANGEROUS)
KEEP = "keep it until no supported release's documents use it"


def compare_directives(
    old: tuple[GraphQLDirective, ...], new: tuple[GraphQLDirective, ...]
) -> Iterator[Change]:
    """Changes of directive definitions; those of the specification are left out."""
    before = {one.name: one for one in old if not is_specified_directive(one)}
    after = {one.name: one for one in new if not is_specified_directive(one)}
    for name in sorted(before.keys() - after.keys()):
        change = Change(
            Kind.DIRECTIVE_REMOVED,
            f"@{name}",
            f"directive @{name} was removed",
            Verdict.BREAKING,
            KEEP,
        )
        yield _as_seen(change, executable=_is_executable(before[name]))
    for name in sorted(after.keys() - before.keys()):
        told = f"directive @{name} was added"
        yield Change(Kind.DIRECTIVE_ADDED, f"@{name}", told, Verdict.SAFE)
    for name in before.keys() & after.keys():
        executable = _is_executable(before[name])
        for change in _compare_definition(f"@{name}", before[name], after[name]):
            yield _as_seen(change, executable=executable)


def _is_executable(directive: GraphQLDirective) -> bool:
    return not EXECUTABLE.isdisjoint(directive.locations)


def _as_seen(change: Change, *, executable: bool) -> Change:
    return change if executable else replace(change, verdict=Verdict.SAFE, way_out="")


def _compare_definition(
    place: str, old: GraphQLDirective, new: GraphQLDirective
) -> Iterator[Change]:
    for location in _in_order(set(old.locations) - set(new.locations)):
        told = f"directive {place} may no longer stand on {location.name}"
        kind, name = Kind.DIRECTIVE_LOCATION_REMOVED, location.name
        change = Change(kind, place, told, Verdict.BREAKING, KEEP, name)
        yield _as_seen(change, executable=location in EXECUTABLE)
    for location in _in_order(set(new.locations) - set(old.locations)):
        told = f"directive {place} may stand on {location.name}"
        kind, name = Kind.DIRECTIVE_LOCATION_ADDED, location.name
        yield Change(kind, place, told, Verdict.SAFE, "", name)
    if old.is_repeatable and not new.is_repeatable:
        told = f"directive {place} may no longer be repeated"
        yield Change(Kind.DIRECTIVE_REPEATABLE_REMOVED, place, told, Verdict.BREAKING, KEEP)
    elif new.is_repeatable and not old.is_repeatable:
        told = f"directive {place} may be repeated"
        yield Change(Kind.DIRECTIVE_REPEATABLE_ADDED, place, told, Verdict.SAFE)
    yield from compare_arguments(place, old.args, new.args, DIRECTIVE_ARGUMENT)
    yield from described(place, old, new)


def _in_order(locations: set[DirectiveLocation]) -> list[DirectiveLocation]:
    return sorted(locations, key=lambda one: one.name)


Applied = list[ConstDirectiveNode]


def compare_applied(place: str, old: Applied, new: Applied) -> Iterator[Change]:
    """Changes of the directives that stand on one definition, in the order they stand there."""
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        put_on, taken_off, changed = OURS.get(name, UNKNOWN)
        where = place or "the schema"
        for then, now in zip_longest(before[name], after[name]):
            if then is None:
                told = f"{_text(now)} was put on {where}"
                yield _applied(Kind.APPLIED, place, told, put_on, name)
            elif now is None:
                told = f"{_text(then)} was taken off {where}"
                yield _applied(Kind.UNAPPLIED, place, told, taken_off, name)
            elif _text(then) != _text(now):
                told = f"{_text(then)} on {where} is {_text(now)} now"
                yield _applied(Kind.APPLIED_ARGUMENT_CHANGED, place, told, changed, name)


def _applied(kind: Kind, place: str, told: str, verdict: Verdict, name: str) -> Change:
    way_out = "" if verdict is Verdict.SAFE else f"make sure of what @{name} does to old releases"
    return Change(kind, place, told, verdict, way_out, name)


def _by_name(nodes: Applied) -> defaultdict[str, Applied]:
    found: defaultdict[str, Applied] = defaultdict(list)
    for node in nodes:
        if node.name.value not in MEANT:
            found[node.name.value].append(node)
    return found


def _text(node: ConstDirectiveNode) -> str:
    """The directive as written, its arguments in order of name."""
    arguments = sorted(print_ast(one) for one in node.arguments or ())
    return f"@{node.name.value}" + (f"({', '.join(arguments)})" if arguments else "")
