"""Passwords as argon2id hashes (RFC 9106), checked off the loop at one cost for every answer."""

import asyncio
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import hash_secret

_TIME, _MEMORY_KIB, _LANES, _LENGTH = 2, 19_456, 1, 32
_hasher = PasswordHasher(_TIME, _MEMORY_KIB, _LANES, _LENGTH)


def seeded_hash(password: str, salt: bytes) -> str:
    """Return the hash with a given salt: demonstration data must come out the same every time."""
    return hash_secret(
        password.encode(), salt, _TIME, _MEMORY_KIB, _LANES, _LENGTH, Type.ID
    ).decode()


@cache
def decoy_hash() -> str:
    """Return nobody's hash: checking it makes an unknown handle cost what a wrong password does.

    The service asks for it at the start, so that no call pays for making it.
    """
    return seeded_hash("nobody has this password", b"facet decoy salt")


async def password_matches(password: str, stored: str | None) -> bool:
    """Say whether the password is the one of `stored`; None (no such account) costs the same."""
    matches = await asyncio.to_thread(_matches, password, stored or decoy_hash())
    return matches and stored is not None


def _matches(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False
