"""The form of a kept answer outside this process: named by a keyed hash, sealed under its name.

Whoever reads the store learns neither who asked, nor for what, nor what was answered: values are
encrypted. One that was cut, changed, written by another format or put under another name does not
open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
NAME_BYTES = 16
NONCE_BYTES = 12  # drawn at random, for which 2**32 values a secret are safe (SP 800-38D, 8.3)
KEY_BYTES = 32


class Unreadable(Exception):
    """A value that is not what was written under its name."""


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A kept answer. `began`: when its call began, in milliseconds of the store's own clock; the
    times are those its service declared, in seconds; `tags` in their stored form."""

    format: int
    began: int
    max_age: int
    while_revalidate: int
    if_error: int
    private: bool
    tags: tuple[str, ...]
    record: msgspec.Raw


class Form:
    """How one loader's records are written: another shape of them has other names, so that builds
    of the gateway with different records share a store without reading each other's."""

    def __init__(self, name: str, record: Any) -> None:
        """Raises TypeError for a type that msgspec cannot read back."""
        shape = msgspec.json.encode(msgspec.json.schema(record))
        self.name = f"{name}:{hashlib.blake2b(shape, digest_size=8).hexdigest()}"
        self.decode = msgspec.msgpack.Decoder(record).decode


class Sealer:
    """Names and seals for one platform. `secret` is the same in all processes that share answers;
    tags are named alike on all platforms that share it."""

    def __init__(self, secret: bytes, platform: str) -> None:
        self._names = hashlib.blake2b(secret, person=b"facet-names").digest()
        key = hashlib.blake2b(secret, person=b"facet-seals", digest_size=KEY_BYTES).digest()
        self._cipher = AESGCM(key)
        self._prefix = f"facet:{platform}:record:"
        self.tag = lru_cache(maxsize=16_384)(self._tag)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Sealed).decode

    def _tag(self, tag: str) -> str:
        return self._named(b"tag\0" + tag.encode())

    def name(self, form: Form, place: Hashable) -> str:
        """The key of one answer."""
        return self._prefix + self._named(self._encode((form.name, place)))

    def seal(self, name: str, kept: Sealed) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, self._encode(kept), name.encode())

    def opened(self, name: str, value: bytes) -> Sealed:
        """What was sealed under this name. Raises Unreadable."""
        try:
            body = self._cipher.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise Unreadable("the seal does not fit") from error
        try:
            found = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable("another format") from error
        if found.format != FORMAT:
            raise Unreadable("another format")
        return found

    def _named(self, what: bytes) -> str:
        return hashlib.blake2b(what, key=self._names, digest_size=NAME_BYTES).hexdigest()
