"""What an id can be, of any service; anything else is found nowhere and is not asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

LONGEST_ID = 64
ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}")


def all_askable(keys: Sequence[object]) -> bool:
    """Whether every key is askable, seen at once for keys that are texts, as most are."""
    try:
        text = "".join(cast("Sequence[str]", keys))
    except TypeError:
        return all(map(is_askable, keys))
    # Printable ASCII but the space is just what an id is made of.
    fits = text.isascii() and text.isprintable() and " " not in text
    return fits and all(keys) and max(map(len, cast("Sequence[str]", keys))) <= LONGEST_ID


def is_askable(key: object) -> bool:
    """Whether a service would take the key's id: it refuses a whole list for one id it cannot
    be, and so one app's bad id would cost the others their records."""
    found = key if isinstance(key, str) else getattr(key, "item_id", None)
    return not isinstance(found, str) or ID.fullmatch(found) is not None
