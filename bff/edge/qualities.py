"""Reads the weighted lists of negotiation (`Accept`, `Accept-Encoding`), RFC 9110 §12.4.2."""

from __future__ import annotations

import re

_WEIGHT = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def qualities(header: bytes) -> dict[bytes, float]:
    """Weight by lower-case name. Parameters other than `q` are dropped and the greater weight of
    equal names counts: `multipart/mixed;deferSpec=…` is `multipart/mixed` here. A weight that is
    none counts as 1, so a sloppy client still gets what it names."""
    weights: dict[bytes, float] = {}
    for member in header.split(b","):
        name, *parameters = member.split(b";")
        name = name.strip().lower()
        if name:
            weights[name] = max(_weight(parameters), weights.get(name, 0.0))
    return weights


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition(b"=")
        if key.strip().lower() == b"q":
            value = value.strip()
            return float(value) if _WEIGHT.fullmatch(value) else 1.0
    return 1.0
