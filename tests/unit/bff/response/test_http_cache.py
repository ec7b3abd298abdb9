"""bff/response/http_cache.py: who may keep an answer, and entity tags."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.response.envelope import CacheScope, Envelope, Holds
from bff.response.http_cache import HttpCache, entity_tag, is_known

CACHE = HttpCache(60, cookie_credential=False)
ERROR = {"message": "late"}


@pytest.mark.parametrize(
    ("envelope", "safe", "scope"),
    [
        (Envelope(executed=True, cache="public"), True, "public"),
        (Envelope(executed=True, cache="public"), False, "private"),
        (Envelope(executed=True, cache="public", errors=[ERROR]), True, "private"),
        (Envelope(executed=True, cache="public", holds=Holds(9)), True, "public"),
        (Envelope(executed=True, cache="public", holds=Holds(0, 60, 60)), True, "private"),
        (Envelope(executed=True, cache="private"), True, "private"),
        (Envelope(executed=True, cache="private", errors=[ERROR]), False, "private"),
        (Envelope(executed=True), True, "no-store"),
        (Envelope(code="BAD_REQUEST", errors=[ERROR], cache="public"), True, "no-store"),
        (Envelope(code="BAD_REQUEST", errors=[ERROR], cache="private"), False, "no-store"),
    ],
)
def test_scopes_are_narrowed(envelope: Envelope, safe: bool, scope: CacheScope) -> None:
    """The pipeline's word is narrowed, never widened: refusals, POST and field errors."""
    assert CACHE.scope(envelope, safe=safe) == scope


@pytest.mark.parametrize(
    ("scope", "cache_control", "vary"),
    [
        ("no-store", b"no-store", b"Accept, Accept-Encoding, Authorization"),
        ("private", b"private, no-cache", b"Accept, Accept-Encoding, Authorization"),
        ("public", b"public, max-age=60", b"Accept, Accept-Encoding"),
    ],
)
def test_headers_of_a_scope(scope: CacheScope, cache_control: bytes, vary: bytes) -> None:
    """Each scope has its Cache-Control, and varies on whatever the answer depends on."""
    assert dict(CACHE.headers(scope)) == {b"cache-control": cache_control, b"vary": vary}


@pytest.mark.parametrize(
    ("holds", "cache_control"),
    [
        (None, b"public, max-age=60"),
        (Holds(7), b"public, max-age=7"),
        (Holds(3_600), b"public, max-age=60"),
        (
            Holds(3_600, 900, 30),
            b"public, max-age=60, stale-while-revalidate=300, stale-if-error=30",
        ),
    ],
)
def test_public_age_is_the_shortest(holds: Holds | None, cache_control: bytes) -> None:
    """A CDN keeps a public answer as the settings say, and no longer than services do; stale
    only where they allow it."""
    cache = HttpCache(60, 300, cookie_credential=False)
    assert dict(cache.headers("public", holds))[b"cache-control"] == cache_control


def test_cookie_answers_vary_on_it() -> None:
    """A cookie that identifies the viewer is part of the key, except of public answers."""
    cookies = HttpCache(0, cookie_credential=True)
    assert dict(cookies.headers("private"))[b"vary"].endswith(b", Cookie")
    assert b"Cookie" not in dict(cookies.headers("public"))[b"vary"]


def test_public_answers_vary_on_readers() -> None:
    """Where other origins may read, a shared copy tells them apart: one that was made for nobody
    would keep browsers from reading it."""
    readers = HttpCache(60, cookie_credential=False, by_origin=True)
    assert dict(readers.headers("public"))[b"vary"] == b"Accept, Accept-Encoding, Origin"


TAG = entity_tag(b"body")


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        (None, False),
        (b"", False),
        (TAG, True),
        (TAG.removeprefix(b"W/"), True),
        (b'"other"', False),
        (b'"other", ' + TAG, True),
        (b'"a,b" , W/"c",' + TAG + b' , "d"', True),
        (b"*", True),
        (b" * ", True),
        (b'"*"', False),
        (TAG.strip(b'W/"'), False),
        (b'"' + TAG, False),
        (b'""', False),
    ],
)
def test_tags_compare_weakly(if_none_match: bytes | None, known: bool) -> None:
    """Lists, weak and strong forms and `*` are understood; anything else is unknown."""
    assert is_known(TAG, if_none_match) is known


@settings(deadline=None)
@given(first=st.binary(), second=st.binary())
def test_tags_tell_bodies_apart(first: bytes, second: bytes) -> None:
    """Equal bodies have equal tags, other bodies other ones, all of them weak and quoted."""
    assert (entity_tag(first) == entity_tag(second)) is (first == second)
    assert entity_tag(first).startswith(b'W/"')
    assert is_known(entity_tag(first), entity_tag(first))


@settings(deadline=None)
@given(sent=st.binary(max_size=60))
def test_any_list_is_compared(sent: bytes) -> None:
    """No header value breaks the comparison, and none but the tag or `*` matches."""
    opaque = TAG.removeprefix(b"W/")
    assert is_known(TAG, sent) is (sent.strip() == b"*" or opaque in sent)
