"""bff/edge/strict_json.py: what is JSON here, and that nothing else ever gets through."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.edge import strict_json
from bff.edge.strict_json import parse
from bff.errors import BadRequest

WHERE = "the body"


def read(text: bytes, max_depth: int = 64) -> Any:
    return parse(text, where=WHERE, max_depth=max_depth)


BAD = {
    "empty": b"",
    "only space": b"  \n",
    "no json": b"hello",
    "cut off": b'{"query": "{ ho',
    "trailing comma": b'{"a": 1,}',
    "trailing garbage": b'{"a": 1} x',
    "two values": b'{"a": 1}{"b": 2}',
    "single quotes": b"{'a': 1}",
    "comment": b'{"a": 1 /* one */}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "utf-32": '{"a": 1}'.encode("utf-32-le"),
    "latin-1": b'{"a": "\xe9"}',
    "overlong utf-8": b'{"a": "\xc0\xaf"}',
    "utf-8 surrogate": b'{"a": "\xed\xa0\x80"}',
    "invalid utf-8 key": b'{"\xff": 1}',
    "lone high surrogate": rb'{"a": "\ud800"}',
    "lone low surrogate": rb'{"a": "\udc00"}',
    "swapped surrogates": rb'{"a": "\udc00\ud800"}',
    "surrogate in key": rb'{"\ud800": 1}',
    "control character": b'{"a": "\x01"}',
    "newline in string": b'{"a": "\n"}',
    "bad escape": rb'{"a": "\x41"}',
    "nan": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "minus infinity": b'{"a": -Infinity}',
    "double overflow": b'{"a": 1e309}',
    "negative overflow": b'{"a": -1e309}',
    "leading zero": b'{"a": 01}',
    "plus": b'{"a": +1}',
    "bare fraction": b'{"a": .5}',
    "hex": b'{"a": 0x10}',
    "over 64 bits": b'{"a": 9223372036854775808}',
    "under 64 bits": b'{"a": -9223372036854775809}',
    "unsigned 64 bits": b'{"a": 18446744073709551615}',
    "thirty digits": b'{"a": ' + b"7" * 30 + b"}",
    "five thousand digits": b'{"a": ' + b"7" * 5000 + b"}",
    "duplicate key": b'{"a": 1, "a": 1}',
    "duplicate by escape": rb'{"a": 1, "\u0061": 2}',
    "duplicate deep": b'{"a": [{"b": {"c": 1, "d": 2, "c": 3}}]}',
    "duplicate empty key": b'{"": 1, "": 2}',
    "duplicate hides depth": b'{"a": ' + b"[" * 80 + b"]" * 80 + b', "a": 1}',
    "too deep array": b"[" * 65 + b"]" * 65,
    "too deep object": b'{"a":' * 65 + b"1" + b"}" * 65,
    "absurdly deep": b"[" * 30_000 + b"]" * 30_000,
    "absurdly deep, open": b"[" * 60_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_doubtful_text_is_refused(text: bytes) -> None:
    """Each of these is BAD_REQUEST, says where, and is short enough to show."""
    with pytest.raises(BadRequest) as refused:
        read(text)
    assert refused.value.message.startswith(WHERE)
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        (b'{"a": 1 "b"}', "column 9"),
        (b'{"variables": 1, "variables": 2}', '"variables" twice'),
        (
            b'{"n": 12345678901234567890123}',
            "12345678901234567890123, which needs more than 64 bits",
        ),
        (b"[" * 65 + b"]" * 65, "64 levels"),
    ],
)
def test_messages_say_what(text: bytes, says: str) -> None:
    """The message names the fault, so that an app developer finds it without our source."""
    with pytest.raises(BadRequest) as refused:
        read(text)
    assert says in refused.value.message


def test_repeated_keys_shown_bounded() -> None:
    """A hostile key of any length and content comes back quoted and cut."""
    key = "<" * 5_000
    with pytest.raises(BadRequest) as refused:
        read(json.dumps({"x": 1}).replace("x", key)[:-1].encode() + f', "{key}": 2}}'.encode())
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b" \t\r\n[1]\n", [1]),
        (b"null", None),
        (b'{"a": 9223372036854775807, "b": -9223372036854775808}', {"a": 2**63 - 1, "b": -(2**63)}),
        (b'{"hash": "12345678901234567890123"}', {"hash": "12345678901234567890123"}),
        (b'{"big": 1e300, "small": 1e-999}', {"big": 1e300, "small": 0.0}),
        (b"[12345678901234567890.5]", [12345678901234567890.5]),
        (rb'{"a": "\ud83c\udfc3"}', {"a": "🏃"}),
        ('{"a": "Run🏃"}'.encode(), {"a": "Run🏃"}),
        (rb'{"a": "\u0000"}', {"a": "\0"}),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        (b"[" + b",".join([b"{}", b"[]"] * 90) + b"]", [{}, []] * 90),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b'{"query": "' + b"{" * 200 + b'"}', {"query": "{" * 200}),
        (rb'{"query": "' + rb"\"[{" * 90 + b'"}', {"query": '"[{' * 90}),
    ],
)
def test_plain_json_is_read(text: bytes, value: Any) -> None:
    """JSON without doubt is read as it stands; brackets and digits inside strings are text."""
    assert read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"query":"{ a }","variables":{"first":20,"after":null},"list":[1,-2.5,true]}',
        b'{"query": "{ a : b }", "variables": {"at": "10:30", "big": 9007199254740991}}',
        r'{"name":"Zoë \\ \" 🏃"}'.encode(),
    ],
)
def test_plain_json_is_read_once(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text as clients write it, with spaces or without, is not read a second time in search of
    what could be wrong with it."""
    monkeypatch.setattr(strict_json, "_decoded", None)
    assert read(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a b": 1, "ab": 2, "a b": 3}',
        b'{"a": 1 , "b" : 2, "a" :1}',
        b'{"x": {"a": 1, "a": 1}, "y": "\\"a\\": 1"}',
        b'{"a": [18446744073709551615]}',
        b'{"a": [-9223372036854775809]}',
    ],
)
def test_spaces_hide_nothing(text: bytes) -> None:
    """Equal keys and long integers are found wherever spaces stand."""
    with pytest.raises(BadRequest):
        read(text)


def test_integers_stay_integers() -> None:
    """A long integer is not turned into a float on the way."""
    assert [type(value) for value in read(b"[9007199254740993, 1.0, 1]")] == [int, float, int]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(value=values, ascii_only=st.booleans())
def test_any_value_survives(value: Any, ascii_only: bool) -> None:
    """What a sound client encodes is read back equal, escaped or not."""
    assert read(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@settings(deadline=None)
@given(text=st.binary(max_size=200))
def test_bytes_never_surprise(text: bytes) -> None:
    """Arbitrary bytes are a value or BAD_REQUEST, never another exception."""
    try:
        read(text)
    except BadRequest:
        return


PIECES = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"a"', b'"b"', rb'"\u0061"', rb'"\ud800"'),
    *(b"1", b"-0", b"1e999", b"9" * 19, b"9" * 40, b"NaN", b"null", b" ", b'"', b"\\"),
    *(b"\xff", b"\0"),
]
tokens = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


@settings(deadline=None, max_examples=500)
@given(text=tokens)
@example(text=b'{"a":{"a":1,"b":[]},"b":[{"a":1}]}')
def test_accepted_text_is_unambiguous(text: bytes) -> None:
    """Whatever is accepted reads the same with the first and with the last of equal keys."""
    try:
        value = read(text)
    except BadRequest:
        return
    first = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert value == first == json.loads(text)


@settings(deadline=None)
@given(depth=st.integers(0, 90), limit=st.integers(1, 80), objects=st.booleans())
def test_depth_limit_is_exact(depth: int, limit: int, objects: bool) -> None:
    """`limit` levels pass, one more does not, whatever they are made of."""
    opening, closing = (b'{"k":', b"}") if objects else (b"[", b"]")
    text = opening * depth + b"1" + closing * depth
    if depth <= limit:
        read(text, limit)
    else:
        with pytest.raises(BadRequest, match="levels"):
            read(text, limit)
