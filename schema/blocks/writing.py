"""What every write shares: its idempotency key, and telling what was left out from null."""

from __future__ import annotations

import re
from typing import Any, Protocol

import strawberry

from bff.context import Info
from bff.errors import BadUserInput

KEY = "Made by the app, one per intent: the same key for every retry, a new one for a new intent."

# The key travels on as a header: anything else in it would be refused later, or worse.
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


class KeyedInput(Protocol):
    """Any mutation's input."""

    idempotency_key: str


def idempotency_key(info: Info, input: KeyedInput) -> str:
    """The key of a write. Raises BAD_USER_INPUT for one that no service would take."""
    key = info.context.idempotency_key(input.idempotency_key)
    if _VISIBLE_ASCII.fullmatch(key) is None:
        raise BadUserInput("An idempotencyKey is 1 to 255 visible ASCII characters, as a UUID is.")
    return key


def given(**values: Any) -> dict[str, Any]:
    """The values the app gave, null among them; what it left out is left alone."""
    return {name: value for name, value in values.items() if value is not strawberry.UNSET}
