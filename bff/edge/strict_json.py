"""JSON read as strictly as I-JSON (RFC 7493) asks: every doubtful text is refused, in words."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from bff.errors import BadRequest

_BOM = b"\xef\xbb\xbf"
# 19 digits is the first length that may leave a signed 64-bit integer.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_INT64 = range(-(2**63), 2**63)
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


class _DoubtfulError(ValueError):
    """Well-formed JSON whose meaning depends on the reader."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DoubtfulError(
            f"has the key {_shown(first_repeated(pairs))} twice in one object; send every key once"
        )
    return value


def first_repeated(pairs: list[tuple[str, Any]]) -> str:
    """The key that comes a second time before any other does; one must."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is repeated")


def _int64(digits: str) -> int:
    # At most 309 digits come here: orjson refused what no double holds.
    value = int(digits)
    if value not in _INT64:
        raise _DoubtfulError(f"holds the number {digits[:24]}, which needs more than 64 bits")
    return value


_decode = json.JSONDecoder(object_pairs_hook=_unique).decode
_decode_long_numbers = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_int64).decode


def parse(text: bytes, *, where: str, max_depth: int) -> Any:
    """The value of `text`; `where` names it in messages ("the body").

    Raises BadRequest for: no JSON, invalid UTF-8 or a byte order mark, lone surrogates, NaN and
    Infinity, numbers beyond a double or 64 bits, a key twice in one object, more than `max_depth`
    levels, and anything after the value.

    orjson judges the syntax in 1 µs per KB and makes the value; it keeps the last of two equal keys
    and turns long integers into floats, so where either could have happened the standard library,
    which tells of both, makes the value anew.
    """
    if not text:
        raise BadRequest(f"{where} is empty; send JSON")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{where} is not valid JSON: {_reason(text, error)}") from None
    if text.count(b"{") + text.count(b"[") > max_depth and _depth(text) > max_depth:
        raise BadRequest(f"{where} nests deeper than {max_depth} levels; flatten it")
    try:
        return value if _is_plain(value, text) else _decoded(text)
    except _DoubtfulError as error:
        raise BadRequest(f"{where} {error}") from None
    except RecursionError:
        raise BadRequest(f"{where} nests too deep; flatten it") from None


def _is_plain(value: Any, text: bytes) -> bool:
    """Proof that nothing was lost on the way from `text` to `value`; False proves nothing.

    Written again it is the same text but for spaces: as many keys, so none came twice, and the same
    digits. Taking all spaces away, those in strings too, moves no other byte of either text.
    """
    try:
        again = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)  # 53 bits at most
    except orjson.JSONEncodeError:
        return False
    return again == text or again.translate(None, b" ") == text.translate(None, b" ")


def _decoded(text: bytes) -> Any:
    decode = _decode_long_numbers if _LONG_NUMBER.search(text) else _decode
    return decode(text.decode())


def _reason(text: bytes, error: orjson.JSONDecodeError) -> str:
    if text.startswith(_BOM):
        return "it begins with a byte order mark; send UTF-8 without one"
    return str(error)


def _depth(text: bytes) -> int:
    """Levels of nesting in valid JSON. Counted in the text, not in a parsed value: a deep value
    under a key that comes again would be gone from that."""
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.findall(text):
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _shown(key: str) -> str:
    """A client's key, bounded and quoted, for a message."""
    return json.dumps(key if len(key) <= 64 else key[:64] + "…")
