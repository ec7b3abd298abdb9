"""Reads from the headers which app build is calling; judges nothing and never fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from bff.request import ClientIdentity

# Bounded, because names and versions end up in metric labels, logs and cache keys.
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/@()+ -]{0,127}")
_VERSION = re.compile(rb"([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\+([A-Za-z0-9][A-Za-z0-9._-]{0,31}))?")
_BUILD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_CAPABILITY = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_CAPABILITIES = 64
LONGEST_CAPABILITIES = 4_096
_DEVICE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def identify(headers: Mapping[bytes, bytes]) -> ClientIdentity:
    """The client identity in `headers` (lower-case names).

    Name and version: `apollographql-client-*`, else `graphql-client-*`. Build: `x-app-build`, else
    the part after `+` of the version (Apollo iOS sends `<short>+<build>` by default), else none.
    Capabilities: `x-client-capabilities`, names between commas. A value too long or with other
    characters counts as not sent; among capabilities that is said of each name, and of all beyond
    MOST_CAPABILITIES.
    """
    get = headers.get
    name, version, build = _app(
        get(b"apollographql-client-name"),
        get(b"graphql-client-name"),
        get(b"apollographql-client-version"),
        get(b"graphql-client-version"),
        get(b"x-app-build"),
    )
    device = _text(_DEVICE, get(b"x-device-id"))
    told = get(b"x-client-capabilities")
    if told is None or len(told) > LONGEST_CAPABILITIES:
        return ClientIdentity(name, version, build, device)
    capabilities = _capabilities(told)
    return ClientIdentity(name, version, build, device, capabilities)


# Every phone with the same build says the same, and who uses it is not among the values. Their
# size is bounded by that of a request's head.
@lru_cache(maxsize=256)
def _app(
    apollo_name: bytes | None,
    name: bytes | None,
    apollo_version: bytes | None,
    version: bytes | None,
    build: bytes | None,
) -> tuple[str | None, str | None, str | None]:
    """Name, version and build by the values of the headers that say which app build calls."""
    read_version, build_inside = _version(apollo_version, version)
    return (
        _text(_NAME, apollo_name) or _text(_NAME, name),
        read_version,
        _text(_BUILD, build) or build_inside,
    )


@lru_cache(maxsize=256)
def _capabilities(told: bytes) -> frozenset[str]:
    names = (one.strip() for one in told.split(b",", MOST_CAPABILITIES)[:MOST_CAPABILITIES])
    return frozenset(one.decode("ascii") for one in names if _CAPABILITY.fullmatch(one))


def _version(*candidates: bytes | None) -> tuple[str | None, str | None]:
    for sent in candidates:
        match = _VERSION.fullmatch(sent) if sent is not None else None
        if match is not None:
            version, build = match.groups()
            return version.decode("ascii"), build.decode("ascii") if build else None
    return None, None


def _text(pattern: re.Pattern[bytes], sent: bytes | None) -> str | None:
    if sent is None or not pattern.fullmatch(sent):
        return None
    return sent.decode("ascii")
