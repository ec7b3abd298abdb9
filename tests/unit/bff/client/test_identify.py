"""bff/client/identify.py: which app build is calling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.client.identify import _app, identify
from bff.request import ClientIdentity


def identified(**headers: str) -> ClientIdentity:
    return identify({k.replace("_", "-").encode(): v.encode() for k, v in headers.items()})


def test_apollo_ios_default() -> None:
    """Apollo iOS sends `<short>+<build>` by itself: both are read from it."""
    client = identified(
        apollographql_client_name="com.facet.app-apollo-ios",
        apollographql_client_version="7.3.0+4123",
        x_device_id="2F0B1D5E-3B1F-4B43-9A53-0E4E1D7F9C11",
    )
    assert client == ClientIdentity(
        name="com.facet.app-apollo-ios",
        version="7.3.0",
        build="4123",
        device_id="2F0B1D5E-3B1F-4B43-9A53-0E4E1D7F9C11",
    )


@pytest.mark.parametrize("family", ["apollographql", "graphql"])
def test_both_header_families(family: str) -> None:
    """Either family of names is read."""
    headers = {f"{family}_client_name": "web", f"{family}_client_version": "1.2"}
    client = identified(**headers)
    assert (client.name, client.version, client.build) == ("web", "1.2", None)


def test_apollo_names_come_first() -> None:
    """Where both families are sent, Apollo's count."""
    client = identified(
        apollographql_client_name="ios",
        apollographql_client_version="7.3+1",
        graphql_client_name="web",
        graphql_client_version="1.0+2",
    )
    assert (client.name, client.release) == ("ios", "7.3+1")


def test_build_header_comes_first() -> None:
    """`x-app-build` is said on purpose, so it beats the one inside the version."""
    client = identified(apollographql_client_version="7.3.0+1", x_app_build="77")
    assert (client.version, client.build) == ("7.3.0", "77")


def test_build_without_version() -> None:
    """A build alone is kept."""
    client = identified(x_app_build="77")
    assert (client.version, client.build) == (None, "77")


def test_silence_is_unknown() -> None:
    """A client that says nothing is nobody in particular."""
    assert identify({}) == ClientIdentity()


@pytest.mark.parametrize(
    "bad", ["", " ", "+", "7.3+", "+5", "7+1+2", "7 3", "7\n3", "é", "9" * 200]
)
def test_bad_values_are_absent(bad: str) -> None:
    """Values too long or with other characters count as not sent."""
    client = identified(apollographql_client_version=bad, x_app_build=bad, x_device_id=f"\x00{bad}")
    assert client == ClientIdentity()


def test_bad_value_falls_back() -> None:
    """A bad value of one family does not hide a good one of the other, nor a bad build a good."""
    client = identified(
        apollographql_client_name="\x00",
        graphql_client_name="web",
        apollographql_client_version="é",
        graphql_client_version="2.0+9",
        x_app_build="no good",
    )
    assert (client.name, client.release) == ("web", "2.0+9")


@settings(deadline=None)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                b"apollographql-client-name",
                b"apollographql-client-version",
                b"graphql-client-name",
                b"graphql-client-version",
                b"x-app-build",
                b"x-device-id",
            ]
        ),
        st.binary(max_size=300),
    )
)
def test_headers_never_surprise(headers: dict[bytes, bytes]) -> None:
    """Any bytes give an identity of bounded, printable values."""
    client = identify(headers)
    for value in (client.name, client.version, client.build, client.device_id):
        assert value is None or (0 < len(value) <= 128 and value.isascii() and value.isprintable())


def test_memory_is_of_builds_alone() -> None:
    """What is remembered between requests is bounded and knows builds, no devices: two phones with
    one build share an entry and keep their own device ids."""
    _app.cache_clear()
    build = {"graphql_client_name": "ios", "graphql_client_version": "7.3.0+1"}
    devices = [identified(**build, x_device_id=device).device_id for device in ("a", "b")]
    assert devices == ["a", "b"]
    assert _app.cache_info().currsize == 1
    for number in range(1_000):
        identified(graphql_client_version=f"7.{number}")
    most = _app.cache_info().maxsize
    assert most is not None
    assert _app.cache_info().currsize == most <= 512


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("ar, offline-notes", {"ar", "offline-notes"}),
        ("ar,,ar ,\tpush.rich", {"ar", "push.rich"}),
        ("", set()),
        ("ar;q=1, -x, a b, ä", set()),
        ("x" * 64 + ", " + "y" * 65, {"x" * 64}),
        (", ".join(f"c{n}" for n in range(100)), {f"c{n}" for n in range(64)}),
    ],
)
def test_capabilities_are_read(told: str, expected: set[str]) -> None:
    """Names between commas; what is no name counts as not sent, and nobody sends any number."""
    assert set(identified(x_client_capabilities=told).capabilities or ()) == expected


def test_untold_capabilities_are_none() -> None:
    """Saying nothing of capabilities is something else than having none."""
    assert identified(x_app_build="1").capabilities is None


def test_endless_capabilities_count_as_none_told() -> None:
    """A header nobody would send in earnest is not read."""
    assert identified(x_client_capabilities="ar," * 2_000).capabilities is None
