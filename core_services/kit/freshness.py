"""How long an answer may be kept, under which tags, and which tags a write makes old.

Declared as data beside a route (so it stands in the OpenAPI document), sent as headers with each
answer: `cache-control` (RFC 9111, RFC 5861), `cache-tag` on reads, `cache-invalidate` on writes.
Who keeps answers is the caller's matter. The gate sends `no-store` with whatever declares nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CONTROL_HEADER, TAG_HEADER, INVALIDATE_HEADER = "cache-control", "cache-tag", "cache-invalidate"
NO_STORE = "no-store"
MOST_TAGS = 50
"""An answer with more keys names only their kind: a head has an end."""
EVERYTHING_OF = "viewer"
"""Every private answer carries `viewer:<account_id>`: a sign-out makes them all old at once."""
_FRESHNESS, _INVALIDATES = "x-freshness", "x-cache-invalidate"


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a read declares: the kinds of its tags (`<kind>:<key>`) and three times in seconds.

    `private`: the answer is one viewer's, the key of its tags the viewer's account id.
    """

    tags: tuple[str, ...]
    private: bool = False
    max_age_s: int = 0
    stale_while_revalidate_s: int = 0
    stale_if_error_s: int = 0

    @property
    def control(self) -> str:
        """The value of `cache-control`; what is 0 beside max-age is left out."""
        parts = ["private" if self.private else "public", f"max-age={self.max_age_s}"]
        if self.stale_while_revalidate_s:
            parts.append(f"stale-while-revalidate={self.stale_while_revalidate_s}")
        if self.stale_if_error_s:
            parts.append(f"stale-if-error={self.stale_if_error_s}")
        return ", ".join(parts)

    def headers(self, keys: Iterable[str] = ()) -> dict[str, str]:
        """Return the headers of an answer that speaks of these keys (ids of ours, as stored)."""
        found = list(keys)
        if not found:
            return {CONTROL_HEADER: self.control}
        many = len(found) > MOST_TAGS
        tags = self.tags if many else [f"{kind}:{key}" for kind in self.tags for key in found]
        return {CONTROL_HEADER: self.control, TAG_HEADER: ",".join(tags)}

    def of_viewer(self, account_id: str) -> dict[str, str]:
        """Return the headers of an answer for this viewer alone."""
        tags = [f"{kind}:{account_id}" for kind in (*self.tags, EVERYTHING_OF)]
        return {CONTROL_HEADER: self.control, TAG_HEADER: ",".join(tags)}

    def declared(self) -> dict[str, Any]:
        """Return the `openapi_extra` of the route."""
        kinds = (*self.tags, EVERYTHING_OF) if self.private else self.tags
        key = "{account_id}" if self.private else "{id}"
        tags = [f"{kind}:{key}" for kind in kinds]
        return {_FRESHNESS: {CONTROL_HEADER: self.control, TAG_HEADER: tags}}


def invalidates(*kinds: str) -> dict[str, Any]:
    """Return the `openapi_extra` of a write that may make these kinds of answers old."""
    return {_INVALIDATES: [f"{kind}:{{account_id}}" for kind in kinds]}


def outdated(account_id: str, *kinds: str) -> dict[str, str]:
    """Return the header of a write, replays included: whoever misses the first answer reads it."""
    return {INVALIDATE_HEADER: ",".join(f"{kind}:{account_id}" for kind in kinds)}


def document_freshness(operation: dict[str, Any]) -> None:
    """Describe the headers that every answer of this OpenAPI operation has."""
    declared = operation.get(_FRESHNESS)
    written = operation.get(_INVALIDATES)
    for status, answer in operation["responses"].items():
        good = status.startswith("2")
        control = declared[CONTROL_HEADER] if good and declared else NO_STORE
        headers = answer.setdefault("headers", {})
        headers[CONTROL_HEADER] = _described("How long this may be kept.", const=control)
        if good and declared and declared[TAG_HEADER]:
            what = f"Comma-separated; beyond {MOST_TAGS} keys their kind alone."
            headers[TAG_HEADER] = _described(what, required=False)
        if good and written:
            headers[INVALIDATE_HEADER] = _described("Tags that are old now, comma-separated.")


def _described(what: str, *, required: bool = True, **schema: str) -> dict[str, Any]:
    return {"description": what, "required": required, "schema": {"type": "string", **schema}}
