"""The oracle's table: for every kind of change that graphql-inspector and graphql-js list, a pair
of schemas, what the lister says of it, what we say of it, and the reason where we differ."""

from __future__ import annotations

from dataclasses import dataclass

from persisted_queries.changes.model import Kind, Verdict

BREAKING, DANGEROUS, SAFE = Verdict.BREAKING, Verdict.DANGEROUS, Verdict.SAFE

QUERY = "type Query { a: String }\n"
EMPTY_TO_NULL = "a null there takes its parent from releases that showed the rest"
NOW_REQUIRED = "without its default a non-null one is required: leaving it out is an error"
LEFT_OUT = "a call that leaves it out gets another answer than before"
NEW_TYPE_MET = "a build meets the new type wherever it asks for the interface"
NOT_IN_DOCUMENTS = "no document can hold a directive without an executable location"
OWN_MEANING = "the gateway's own directive: what it does to releases is known"


@dataclass(frozen=True)
class Case:
    """`listed` is the lister's name of the kind. `theirs` is its verdict, None where it lists a
    kind that its own comparison never reports. `ours` is every change we report, the one that
    answers to `listed` first. `why` is the reason of a difference."""

    listed: str
    old: str
    new: str
    theirs: Verdict | None
    ours: tuple[tuple[Kind, str, Verdict], ...]
    why: str = ""

    @property
    def before(self) -> str:
        """The whole old SDL."""
        return _whole(self.old)

    @property
    def after(self) -> str:
        """The whole new SDL."""
        return _whole(self.new)

    @property
    def verdict(self) -> Verdict:
        return self.ours[0][2]


def _whole(sdl: str) -> str:
    return sdl if "Query" in sdl else QUERY + sdl


def case(
    listed: str,
    old: str,
    new: str,
    theirs: Verdict | None,
    ours: tuple[Kind, str, Verdict],
    *also: tuple[Kind, str, Verdict],
    why: str = "",
) -> Case:
    return Case(listed, old, new, theirs, (ours, *also), why)
