"""Reads from the headers which app build is calling; judges nothing and never fails."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bff.request import ClientIdentity

# Bounded, because names and versions end up in metric labels, logs and cache keys.
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/@()+ -]{0,127}")
_VERSION = re.compile(rb"([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\+([A-Za-z0-9][A-Za-z0-9._-]{0,31}))?")
_BUILD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_DEVICE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def identify(headers: Mapping[bytes, bytes]) -> ClientIdentity:
    """The client identity in `headers` (lower-case names).

    Name and version: `apollographql-client-*`, else `graphql-client-*`. Build: `x-app-build`, else
    the part after `+` of the version (Apollo iOS sends `<short>+<build>` by default), else none,
    marked assumed. A value too long or with other characters counts as not sent.
    """
    version, build = _version(headers)
    build = _text(_BUILD, headers.get(b"x-app-build")) or build
    return ClientIdentity(
        name=_text(_NAME, headers.get(b"apollographql-client-name"))
        or _text(_NAME, headers.get(b"graphql-client-name")),
        version=version,
        build=build,
        build_assumed=build is None,
        device_id=_text(_DEVICE, headers.get(b"x-device-id")),
    )


def _version(headers: Mapping[bytes, bytes]) -> tuple[str | None, str | None]:
    for name in (b"apollographql-client-version", b"graphql-client-version"):
        sent = headers.get(name)
        match = _VERSION.fullmatch(sent) if sent is not None else None
        if match is not None:
            version, build = match.groups()
            return version.decode("ascii"), build.decode("ascii") if build else None
    return None, None


def _text(pattern: re.Pattern[bytes], sent: bytes | None) -> str | None:
    if sent is None or not pattern.fullmatch(sent):
        return None
    return sent.decode("ascii")
