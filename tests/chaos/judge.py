"""What counts as an answer, and what an answer may lack while one service is spoilt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from bff.errors import FacetError
from tests.chaos.wire import Answer
from tests.harness.faults.replies import LEAK

Path = tuple[str | int, ...]
# Field names from the root of a screen, list places left out: what one service alone can cost.
OWNED: dict[str, tuple[str, ...]] = {
    "accounts": (
        r"home\.viewer\b",
        r"profile\.account\b",
        r".*\.author\b",
        r"inbox\.page\.notifications\.actor\b",
        r"home\.inbox\.latest\.actor\b",
    ),
    "content": (
        r"home\.feed\b",
        r"profile\.saved\b",
        r"content\b",
        r"(home\.inbox\.latest|inbox\.page\.notifications)\.item\b",
    ),
    "notifications": (r"home\.inbox\b", r"profile\.preferences\b", r"inbox\b"),
}
EVERYBODY = "*"
# Statuses that are answers, and the codes a whole request may be refused with at such a time.
REFUSALS = {429: {"RATE_LIMITED"}, 503: {"OVERLOADED"}}
UPSTREAM = frozenset(
    {
        "UPSTREAM_TIMEOUT",
        "UPSTREAM_UNAVAILABLE",
        "UPSTREAM_BAD_RESPONSE",
        "UPSTREAM_OVERLOADED",
        "DEADLINE_EXCEEDED",
    }
)
_INTERNALS = re.compile(
    rf"Traceback|File \"|\.py\b|127\.0\.0\.1|localhost|{re.escape(LEAK)}|\bSELECT\b|sqlite"
    r"|sqlalchemy|asyncpg|psycopg|pyreqwest|httpx|msgspec|Errno|<html|redis|postgres|\bport \d+",
    re.IGNORECASE,
)


def _codes(kind: type[FacetError]) -> Iterator[str]:
    yield kind.code
    for below in kind.__subclasses__():
        yield from _codes(below)


CODES = frozenset(_codes(FacetError)) | {"OVERLOADED", "RATE_LIMITED"}


def non_answer(answer: Answer) -> str | None:
    """Why this is no answer at all (R1); None for one."""
    if answer.failure is not None:
        return answer.failure
    if answer.status != 200 and answer.status not in REFUSALS:
        return f"status {answer.status}"
    body = answer.json
    if not isinstance(body, dict):
        return "no JSON object"
    for error in body.get("errors", ()):
        code = (error.get("extensions") or {}).get("code")
        if code not in CODES:
            return f"an error without a known code: {code}"
    if answer.status in REFUSALS and codes(answer) - REFUSALS[answer.status]:
        return f"status {answer.status} with {codes(answer)}"
    return leaked(body)


def leaked(body: dict[str, Any]) -> str | None:
    """What an answer says beside its data that is nobody's business; None for nothing."""
    said = orjson.dumps({name: value for name, value in body.items() if name != "data"}).decode()
    found = _INTERNALS.search(said)
    return None if found is None else f"leaks {found[0]!r} in {said[:300]}"


def codes(answer: Answer) -> set[str]:
    """The codes of its errors."""
    return {error["extensions"]["code"] for error in (answer.json or {}).get("errors", ())}


def is_whole(answer: Answer) -> bool:
    """Whether nothing is missing and nothing is old."""
    body = answer.json if answer.status == 200 else None
    return body is not None and "errors" not in body and not unwell(body)


def is_lacking(answer: Answer) -> bool:
    """Whether parts are missing; old ones are there."""
    body = answer.json
    return "errors" in body or any(state != "stale" for state in unwell(body).values())


def unwell(body: dict[str, Any]) -> dict[str, str]:
    """Sections that are not as fresh and whole as ever, by path, with what is said of them."""
    sections = (body.get("extensions") or {}).get("sections") or {}
    found = {path: _state(told) for path, told in sections.items()}
    return {path: state for path, state in found.items() if state != "ok"}


def _state(told: Any) -> str:
    return str(told.get("status", told.get("state"))) if isinstance(told, dict) else str(told)


def wrong_parts(answer: Answer, whole: Any) -> list[str]:
    """What this answer lacks or has otherwise than `whole`, the data when all is well, and that no
    error or section explains (R3)."""
    return [
        f"{_dotted(path)}: {why}" for path, why, explained in _parts(answer, whole) if not explained
    ]


def foreign_parts(answer: Answer, whole: Any, service: str) -> list[str]:
    """What it lacks and explains, and that is not for this service to lose (R3). On a machine with
    too much to do another service may be too late at the same time."""
    found = [(path, why) for path, why, explained in _parts(answer, whole) if explained]
    return [f"{_dotted(path)}: {why}" for path, why in found if not is_owned(path, service)]


def _parts(answer: Answer, whole: Any) -> Iterator[tuple[Path, str, bool]]:
    """Where it differs, how, and whether the answer says why."""
    body = answer.json
    if body.get("data") is None:
        yield (), f"no data at all: {body.get('errors')}", False
        return
    explained = [tuple(error["path"]) for error in body.get("errors", ()) if error.get("path")]
    explained += [tuple(path.split(".")) for path in unwell(body)]
    for path, why in _differences(whole, body["data"], ()):
        yield path, why, _speaks_of(explained, path)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def is_owned(path: Path, service: str) -> bool:
    """Whether that service alone (EVERYBODY: any) can have cost what stands there."""
    if service == EVERYBODY:
        return True
    name = ".".join(part for part in path if isinstance(part, str))
    return any(re.match(pattern, name) for pattern in OWNED[service])


def _speaks_of(explained: Sequence[Path], path: Path) -> bool:
    """An error below a null explains it (the null travelled up), and so does one above."""
    return any(
        path[: len(one)] == one[: len(path)] or _names(path)[: len(one)] == one for one in explained
    )


def _names(path: Path) -> Path:
    return tuple(part for part in path if isinstance(part, str))


def _differences(whole: Any, found: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if whole == found:
        return
    if isinstance(whole, dict) and isinstance(found, dict):
        if whole.keys() != found.keys():
            yield path, f"keys {sorted(found)}"
            return
        for name, value in whole.items():
            yield from _differences(value, found[name], (*path, name))
    elif isinstance(whole, list) and isinstance(found, list) and len(whole) == len(found):
        for number, (one, other) in enumerate(zip(whole, found, strict=True)):
            yield from _differences(one, other, (*path, number))
    else:
        yield path, "null" if found is None else f"is {str(found)[:60]}, was {str(whole)[:60]}"
