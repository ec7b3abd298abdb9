"""The frozen values of a request."""

from __future__ import annotations

import time

import msgspec
import pytest

from bff.request import Arrival, ClientIdentity, Deadline, OperationRequest, Viewer


def test_deadline_counts_down() -> None:
    """What remains shrinks with time and stops at zero."""
    deadline = Deadline.after_ms(60_000)
    first = deadline.remaining()
    assert 59 < first <= 60
    assert deadline.remaining() <= first
    assert Deadline(time.monotonic() - 5).remaining() == 0.0


@pytest.mark.parametrize(
    ("version", "build", "release"),
    [
        ("7.3.0", "4120", "7.3.0+4120"),
        ("7.3.0", None, "7.3.0"),
        ("7.3.0", "", "7.3.0"),
        (None, "4120", None),
        (None, None, None),
    ],
)
def test_release_is_version_and_build(
    version: str | None, build: str | None, release: str | None
) -> None:
    """A release is named by version and build; without a version there is none."""
    assert ClientIdentity(version=version, build=build).release == release


@pytest.mark.parametrize(
    "value",
    [
        Deadline(0.0),
        ClientIdentity(),
        Viewer("a", None, None, 0, ()),
        Arrival("r", ClientIdentity(), Deadline(0.0)),
        OperationRequest(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen(value: msgspec.Struct) -> None:
    """No room changes what a request brought."""
    with pytest.raises(AttributeError, match="immutable"):
        setattr(value, value.__struct_fields__[0], "changed")


def test_operation_requests_share_nothing() -> None:
    """Defaults are made anew for each request."""
    assert OperationRequest().variables is not OperationRequest().variables
