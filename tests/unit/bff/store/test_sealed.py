"""A kept answer says nothing to whoever reads the store, and opens under its own name alone."""

from __future__ import annotations

import msgspec
import pytest

from bff.store.sealed import FORMAT, NONCE_BYTES, Form, Sealed, Sealer, Unreadable

SECRET, OTHER = b"s" * 32, b"o" * 32
WORDS = b"reader@mail.example lives in 12 Canary Street"


class Record(msgspec.Struct):
    """Holds what nobody else may read."""

    text: str


@pytest.fixture
def kept() -> Sealed:
    record = msgspec.Raw(msgspec.msgpack.encode(Record(WORDS.decode())))
    return Sealed(FORMAT, 1, 60, 30, 300, True, ("account:1",), record)


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SECRET, "ios")


def test_values_say_nothing(sealer: Sealer, kept: Sealed) -> None:
    """Neither a word of the record nor a tag stands in the store, and the same answer looks
    different each time; under its name it opens."""
    name = sealer.name(Form("profile", Record), ("viewer", "acc_1"))
    first, second = sealer.seal(name, kept), sealer.seal(name, kept)
    for word in (*WORDS.split(), b"account:1"):
        assert word not in first
    assert b"acc_1" not in name.encode()
    assert first != second
    assert sealer.opened(name, first) == sealer.opened(name, second) == kept


@pytest.mark.parametrize("cut", [0, 1, NONCE_BYTES - 1, NONCE_BYTES, NONCE_BYTES + 15, -1])
def test_cut_values_do_not_open(sealer: Sealer, kept: Sealed, cut: int) -> None:
    """A value that was cut anywhere is unreadable."""
    with pytest.raises(Unreadable):
        sealer.opened("name", sealer.seal("name", kept)[:cut])


def test_changed_values_do_not_open(sealer: Sealer, kept: Sealed) -> None:
    """One bit changed anywhere makes a value unreadable."""
    sealed = sealer.seal("name", kept)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(Unreadable):
            sealer.opened("name", bytes(changed))


def test_values_open_under_their_name(sealer: Sealer, kept: Sealed) -> None:
    """What was put under another name, or sealed with another secret, is unreadable; platforms
    that share a secret have names of their own."""
    sealed = sealer.seal("name", kept)
    with pytest.raises(Unreadable):
        sealer.opened("another", sealed)
    with pytest.raises(Unreadable):
        Sealer(OTHER, "ios").opened("name", sealed)
    form = Form("profile", Record)
    assert sealer.name(form, "x") != Sealer(SECRET, "web").name(form, "x")
    assert sealer.tag("account:1") == Sealer(SECRET, "web").tag("account:1")
