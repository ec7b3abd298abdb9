"""Limits every page has, whatever its style."""

from __future__ import annotations

from bff.errors import BadUserInput

MAX_PAGE = 50


def checked_size(asked: int, most: int = MAX_PAGE, least: int = 1) -> int:
    """The size asked for. Raises BAD_USER_INPUT rather than quietly giving less: a client that
    counts on its number would stop paging too early."""
    if not least <= asked <= most:
        raise BadUserInput(f"A page holds {least} to {most} entries, {asked} were asked for.")
    return asked
