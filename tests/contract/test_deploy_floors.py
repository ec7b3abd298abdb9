"""S11: packages that stand between the network and the data are pinned above what is known bad.

Advisory services cannot be asked from every build machine, and a scanner that cannot ask says "none
found": these floors are kept by hand, each with its reason. Newer advisories still need one in CI,
and it must fail when it could not look a package up.
"""

from __future__ import annotations

import re

import pytest

from tests.contract.sizes import ROOT

LOCKS = ("run.txt", "dev.txt")
Version = tuple[int, ...]

# Package → the first version without the fault, and the fault.
FLOORS: dict[str, tuple[str, str]] = {
    "strawberry-graphql": (
        "0.312.3",
        "CVE-2026-35526, CVE-2026-35523: the old subprotocol skips authentication; subscriptions "
        "without bound",
    ),
    "graphql-core": ("3.3.0", "no advisory is known; plans are hooked into this line's executor"),
    "starlette": ("0.49.1", "CVE-2025-62727: Range headers take quadratic time; CVE-2025-54121"),
    "fastapi": ("0.109.1", "CVE-2024-24762: a form's media type takes exponential time"),
    "uvicorn": ("0.11.7", "CVE-2020-7695: responses could be split; CVE-2020-7694"),
    "httptools": ("0.6.1", "CVE-2023-30589 of the parser in it: line ends that hide a request"),
    "h11": ("0.16.0", "CVE-2025-43859: malformed chunk ends are taken, requests can be smuggled"),
    "redis": (
        "4.5.5",
        "CVE-2023-28858, CVE-2023-28859: a cancelled command's reply goes to another",
    ),
    "cryptography": ("46.0.5", "CVE-2026-26007: points of small subgroups; and the OpenSSL inside"),
    "joserfc": ("1.4.2", "CVE-2025-65015: payloads of any size in the texts of errors"),
    "pyyaml": ("5.4", "CVE-2020-14343: loading runs code"),
    "orjson": ("3.11.6", "CVE-2025-67221: nested input exhausts the stack"),
    "msgspec": ("0.19.0", "no advisory is known; older lines are not kept up"),
    "pydantic": ("2.4.0", "CVE-2024-3772: addresses take exponential time"),
    "sqlalchemy": ("1.3.0", "CVE-2019-7164: injection by order_by"),
    "asyncpg": ("0.21.0", "CVE-2020-17446: a server's answer makes the client read freed memory"),
    "mako": ("1.2.2", "CVE-2022-40023: templates take quadratic time"),
    "brotli": ("1.2.0", "CVE-2025-6176: no bound on what is unpacked"),
    "protobuf": ("6.33.5", "CVE-2026-0994, CVE-2025-4565: nesting exhausts the stack"),
    "urllib3": ("2.6.3", "CVE-2026-21441, CVE-2025-66418: packed answers without bound"),
    "requests": ("2.32.4", "CVE-2024-47081: passwords of .netrc go to another host"),
    "idna": ("3.7", "CVE-2024-3651: long names take quadratic time"),
    "certifi": ("2024.7.4", "CVE-2024-39689: an authority that is no longer trusted"),
}
# Packages that once were dependencies and must not come back: each has a better kept successor.
GONE = {
    "httpx": "its pool never recovers after a burst of cancelled calls; httpx2 is its continuation",
    "python-jose": "CVE-2024-33663, CVE-2024-33664; joserfc is used",
    "pyjwt": "takes `exp` as text; joserfc is used",
    "passlib": "not kept; argon2-cffi is used",
}


def _version(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0]))


def pins(name: str) -> dict[str, Version]:
    """Package → version of a lock file."""
    text = (ROOT / "deploy" / "requirements" / name).read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.M)
    return {package.lower().replace("_", "-"): _version(version) for package, version in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_pins_are_above_their_floors(lock: str) -> None:
    """No package of a lock file is older than the first version without a known fault."""
    pinned = pins(lock)
    below = {
        name: why
        for name, (floor, why) in FLOORS.items()
        if name in pinned and pinned[name] < _version(floor)
    }
    assert below == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_left_packages_stay_away(lock: str) -> None:
    """What was replaced for its faults is no dependency again."""
    assert {name: why for name, why in GONE.items() if name in pins(lock)} == {}


def test_floors_are_of_what_is_used() -> None:
    """Every floor is of a package that is installed somewhere, the most exposed ones by the
    product itself: a floor of nothing proves nothing."""
    everywhere = pins("run.txt").keys() | pins("dev.txt").keys()
    assert [name for name in FLOORS if name not in everywhere] == []
    exposed = {"strawberry-graphql", "starlette", "uvicorn", "httptools", "redis", "cryptography"}
    exposed |= {"joserfc", "pyyaml", "msgspec", "orjson", "pydantic", "asyncpg"}
    assert exposed <= pins("run.txt").keys() & FLOORS.keys()


@pytest.mark.parametrize(
    ("older", "newer"), [("0.9.1", "0.10"), ("8.1.0", "8.1.1"), ("2024.7.4", "2025.1.1")]
)
def test_versions_are_numbers(older: str, newer: str) -> None:
    """Versions are compared part by part as numbers, so that 0.10 is newer than 0.9."""
    assert _version(older) < _version(newer)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """No package is installed that is not the very file that was looked at."""
    text = (ROOT / "deploy" / "requirements" / lock).read_text()
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]
