"""A judgement of a schema change as text for people, as JSON for machines, and as annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from graphql import GraphQLSchema, Node
from rich.console import Console
from rich.text import Text

from bff.commands import findings
from bff.commands.evidence import Evidence, Sdl
from bff.commands.findings import Place, plain
from persisted_queries.changes.model import Verdict
from persisted_queries.impact import Finding, Hit
from persisted_queries.removal import Judgement, Standing
from persisted_queries.usage import Usage
from persisted_queries.usage_view import UsageView

MARKS = {
    Verdict.BREAKING: ("✗", "red"),
    Verdict.DANGEROUS: ("!", "yellow"),
    Verdict.SAFE: ("·", ""),
}
MOST_NAMED = 8  # documents that one annotation names


class Judged(NamedTuple):
    """A judgement beside what it was made of."""

    evidence: Evidence
    proposed: Sdl
    schema: GraphQLSchema
    judgement: Judgement


def as_json(judged: Judged) -> dict[str, Any]:
    """Everything, for machines."""
    found = judged.judgement
    return {
        "platform": found.platform,
        "allowed": found.allowed,
        "earliest": _iso(found.earliest),
        "current": judged.evidence.current.name,
        "proposed": judged.proposed.name,
        "notes": list(judged.evidence.notes),
        "changes": [
            {
                "kind": one.kind.value,
                "coordinate": one.coordinate,
                "verdict": one.verdict.value,
                "message": one.message,
                "way_out": one.way_out,
            }
            for one in found.changes
        ],
        "refusals": [
            {"coordinate": one.coordinate, "message": one.message, "earliest": _iso(one.earliest)}
            for one in found.refusals
        ],
        "releases": [_release(judged, one) for one in found.standings],
    }


def _release(judged: Judged, standing: Standing) -> dict[str, Any]:
    release, usage = standing.release, standing.usage
    return {
        "release": release.name,
        "state": release.state,
        "rollout": release.rollout,
        "sunset": _iso(release.sunset),
        "breaks": standing.impact.breaks,
        "counts": standing.counts,
        "forbids": standing.forbids,
        "why": standing.why,
        "earliest": _iso(standing.earliest),
        "way_out": standing.way_out,
        "share": usage.share,
        "devices": usage.devices,
        "requests": usage.requests,
        "last_seen": _iso(usage.last_seen),
        "documents": [_document(judged, standing, one) for one in standing.impact.hits],
    }


def _document(judged: Judged, standing: Standing, hit: Hit) -> dict[str, Any]:
    operation = hit.operation
    usage = judged.evidence.usage.document(standing.release.name, operation.hash)
    return {
        "operation": operation.name,
        "id": operation.id,
        "hash": operation.hash,
        "breaks": hit.breaks,
        "requests": usage.requests,
        "last_seen": _iso(usage.last_seen),
        "findings": [
            {
                "verdict": one.verdict.value,
                "kind": one.kind.value if one.kind is not None else None,
                "coordinate": one.coordinate,
                "message": one.message,
                "places": [{"line": line, "column": column} for line, column in one.places],
                "protected": one.protected,
                "effect": one.effect,
                "way_out": one.way_out,
            }
            for one in hit.findings
        ],
    }


def _iso(instant: date | datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None


def print_text(judged: Judged, console: Console) -> None:
    """For people: the changes, whom they break or endanger, and the sentence on it all."""
    found = judged.judgement
    names = f"{judged.proposed.name} against {judged.evidence.current.name}"
    console.print(_line(f"{found.platform}: {names}", style="bold"))
    for note in judged.evidence.notes:
        console.print(_line(f"  ({note})", style="dim"))
    for line, style in _change_lines(found):
        console.print(_line(line, style=style))
    for title, breaking in (("breaks", True), ("endangers", False)):
        chosen = [one for one in found.standings if one.impact.breaks is breaking]
        for number, standing in enumerate(chosen):
            if number == 0:
                console.print(_line(f"  {title}", style="bold"))
            for line in _standing_lines(standing, judged.evidence.usage):
                console.print(_line(line))
    for refusal in found.refusals:
        console.print(_line(f"  ✗ {refusal.message}", style="red"))
    console.print(_line(f"{found.platform}: {sentence(found)}", style=_style(found)))


def _line(text: str, style: str = "") -> Text:
    """Reasons and notes are others' words."""
    return Text(plain(text), style=style)


def sentence(found: Judgement) -> str:
    """The outcome in a sentence."""
    if not found.changes:
        return "no changes"
    if found.allowed:
        return "may be made"
    if found.earliest is None:
        return "refused; no date by waiting alone"
    return f"refused; earliest safe date {found.earliest}"


def _style(found: Judgement) -> str:
    return "green" if found.allowed else "red"


def _change_lines(found: Judgement) -> Iterator[tuple[str, str]]:
    for one in found.changes:
        mark, style = MARKS[one.verdict]
        yield f"  {mark} {one.verdict.value:<9} {one.message}", style
        if one.way_out:
            yield f"      way out: {one.way_out}", "dim"


def _standing_lines(standing: Standing, view: UsageView) -> Iterator[str]:
    yield f"    {standing.release.name} {_told(standing, view)}"
    for hit in standing.impact.hits:
        for one in hit.findings:
            yield f"      {hit.operation.name} {_places(one)} {one.message}{_fence(one)}"


def _told(standing: Standing, view: UsageView) -> str:
    """State, share of devices, last use and earliest date of a release."""
    usage = standing.usage
    parts = [standing.why]
    if standing.release.rollout is not None:
        parts.append(f"at {standing.release.rollout} %")
    share = f"{usage.share:.1%} of devices" if usage.share is not None else "share unknown"
    seen = usage.last_seen
    parts += [share, f"last used {seen:%Y-%m-%d}" if seen is not None else _unseen(view)]
    if standing.impact.breaks:
        parts.append(_date(standing))
    return " · ".join(parts)


def _unseen(view: UsageView) -> str:
    """Nobody seen is not nobody there, unless somebody looked."""
    since = view.counted_since if isinstance(view, Usage) else None
    return "use unknown" if since is None else f"no use seen since {since:%Y-%m-%d}"


def _date(standing: Standing) -> str:
    if not standing.counts:
        return "does not count"
    if standing.earliest is None:
        return f"no date: {standing.way_out}"
    return f"earliest {standing.earliest}"


def _places(finding: Finding) -> str:
    shown = ", ".join(f"{line}:{column}" for line, column in finding.places[:3])
    more = len(finding.places) - 3
    return shown + (f" and {more} more" if more > 0 else "")


def _fence(finding: Finding) -> str:
    return f" (fenced: {finding.effect or 'never sent'})" if finding.protected else ""


def noted(judged: Judged) -> Iterator[findings.Finding]:
    """One for each change that breaks or endangers a release, on the line of the proposed schema
    where it is; one for each refusal."""
    found = judged.judgement
    for change in _felt_changes(found.standings):
        place = Place(judged.proposed.file, line_of(judged.schema, change.coordinate))
        title = f"{found.platform} {change.coordinate or 'schema'}"
        message = f"{change.message}. {'. '.join(_who(judged, change))}"
        yield findings.Finding(_level(found.standings, change), title, message, place)
    for refusal in found.refusals:
        place = Place(judged.proposed.file, line_of(judged.schema, refusal.coordinate))
        title = f"{found.platform} {refusal.coordinate}"
        yield findings.Finding("error", title, f"{refusal.message}; {sentence(found)}", place)


class _Felt(NamedTuple):
    """What identifies a change among findings."""

    coordinate: str
    message: str
    verdict: Verdict


def _felt(finding: Finding) -> _Felt:
    return _Felt(finding.coordinate, finding.message, finding.verdict)


def _felt_changes(standings: Iterable[Standing]) -> list[_Felt]:
    return list(
        dict.fromkeys(
            _felt(one)
            for standing in standings
            for hit in standing.impact.hits
            for one in hit.findings
        )
    )


def _level(standings: Iterable[Standing], change: _Felt) -> findings.Level:
    """An error where it forbids, a notice where every build that it reaches is protected."""
    reached = [
        (standing, one)
        for standing in standings
        for hit in standing.impact.hits
        for one in hit.findings
        if _felt(one) == change
    ]
    if change.verdict is Verdict.BREAKING and any(one.counts for one, _ in reached):
        return "error"
    return "notice" if all(one.protected for _, one in reached) else "warning"


def _who(judged: Judged, change: _Felt) -> Iterator[str]:
    for standing in judged.judgement.standings:
        named = [
            f"{hit.operation.name} {_places(one)}{_fence(one)}"
            for hit in standing.impact.hits
            for one in hit.findings
            if _felt(one) == change
        ]
        if named:
            more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            documents = ", ".join(named[:MOST_NAMED]) + more
            yield f"{standing.release.name} {_told(standing, judged.evidence.usage)}: {documents}"


def line_of(schema: GraphQLSchema, coordinate: str) -> int:
    """The line, from 1, where a coordinate or, if it is gone, what held it stands in the text that
    the schema was built from."""
    owner, _, rest = coordinate.partition("(")[0].partition(".")
    declared: Any = (
        schema.get_directive(owner[1:]) if owner.startswith("@") else schema.get_type(owner)
    )
    members = {**getattr(declared, "fields", {}), **getattr(declared, "values", {})}
    for one in (members.get(rest), declared):
        node: Node | None = getattr(one, "ast_node", None)
        if node is not None and node.loc is not None:
            name = getattr(node, "name", node)
            return int((name.loc or node.loc).start_token.line)
    return 1
