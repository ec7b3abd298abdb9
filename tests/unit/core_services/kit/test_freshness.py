"""The headers of what may be kept, for how long and under which names."""

from core_services.kit.freshness import MOST_TAGS, Freshness, outdated


def test_zero_times_are_left_out() -> None:
    """Only what was declared is sent, and max-age always."""
    assert Freshness(("x",)).control == "public, max-age=0"
    full = Freshness(("x",), False, 5, 30, 600)
    assert full.control == "public, max-age=5, stale-while-revalidate=30, stale-if-error=600"


def test_every_key_is_tagged() -> None:
    """One tag a kind and key; without keys there is no tag header at all."""
    read = Freshness(("item", "text"), False, 5)
    assert read.headers(["a", "b"])["cache-tag"] == "item:a,item:b,text:a,text:b"
    assert read.headers() == {"cache-control": "public, max-age=5"}


def test_many_keys_are_one_kind() -> None:
    """Beyond fifty keys the header names the kind alone: a head has an end."""
    read = Freshness(("item",), False, 5)
    most = [str(number) for number in range(MOST_TAGS)]
    assert read.headers(most)["cache-tag"].count(":") == MOST_TAGS
    assert read.headers([*most, "more"])["cache-tag"] == "item"


def test_viewer_answers_share_one_tag() -> None:
    """A viewer's answer carries its own kinds and the one a sign-out makes old."""
    headers = Freshness(("saved",), private=True, stale_if_error_s=60).of_viewer("acc_1")
    assert headers == {
        "cache-control": "private, max-age=0, stale-if-error=60",
        "cache-tag": "saved:acc_1,viewer:acc_1",
    }
    assert outdated("acc_1", "viewer") == {"cache-invalidate": "viewer:acc_1"}
