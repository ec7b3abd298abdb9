"""The error tree: closed, drawn as it is, and known to the edge."""

from __future__ import annotations

import re

import pytest

from bff import errors
from bff.edge.statuses import STATUSES
from bff.errors import (
    ClientError,
    ConfigError,
    FacetError,
    InternalError,
    PersistedQueryNotFound,
    RequestError,
)


def tree(kind: type[FacetError] = FacetError) -> list[type[FacetError]]:
    """Every class of the tree that `bff/errors.py` declares."""
    below = [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    return [kind, *(one for sub in below for one in tree(sub))]


FAMILIES = (ClientError, RequestError, errors.FieldError)
SHOWABLE = [kind for kind in tree(ClientError) if kind not in FAMILIES]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_docstring_draws_the_tree(kind: type[FacetError]) -> None:
    """Every class stands in the drawing at the top of the module."""
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


@pytest.mark.parametrize("kind", SHOWABLE, ids=lambda kind: kind.__name__)
def test_every_code_has_a_status(kind: type[ClientError]) -> None:
    """What may refuse a whole request has a status in the edge's table."""
    assert kind.code in STATUSES
    assert kind.code != InternalError.code


def test_client_errors_carry_their_words() -> None:
    """Message, detail and extensions are kept apart; only the message is the exception's text."""
    error = errors.Conflict("Read it again.", detail="row 7", extensions={"fields": []})
    assert (str(error), error.message, error.detail) == (
        "Read it again.",
        "Read it again.",
        "row 7",
    )
    assert error.extensions == {"fields": []}
    assert errors.Conflict("x").extensions == {}


def test_not_found_message_never_changes() -> None:
    """Apollo iOS compares the message letter by letter."""
    error = PersistedQueryNotFound()
    assert (error.message, error.code) == ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


def test_internal_errors_are_not_showable() -> None:
    """A wrong setting is no client error: its words name keys and files."""
    assert not issubclass(ConfigError, ClientError)
    assert ConfigError.code == "INTERNAL"
