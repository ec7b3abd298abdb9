"""Credentials and viewer assertions: what is taken and every forgery that is not."""

import base64
import hmac
import json
import time
from collections.abc import Callable

import pytest
from joserfc.jwk import ECKey

from core_services.kit import callers
from core_services.kit.callers import CallerCheck
from core_services.kit.errors import CallerUnknown, ViewerInvalid
from core_services.kit.tokens import NotNowError
from tests.harness.callers import Caller

IOS, ANDROID, STRANGER = Caller.new("bff-ios"), Caller.new("bff-android"), Caller.new("bff-tv")


def public(caller: Caller) -> ECKey:
    """Return the public half of a caller's key."""
    return ECKey.import_key(caller.key.as_dict(private=False))


@pytest.fixture
def check() -> CallerCheck:
    """A check that knows the iOS and Android BFFs."""
    return CallerCheck("content", {"bff-ios": public(IOS), "bff-android": public(ANDROID)})


def segment(value: object) -> str:
    """Return a JWT segment of any JSON value."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unsigned(token: str, **header: object) -> str:
    """Return the token with another header and no signature."""
    return f"{segment(header)}.{token.split('.')[1]}."


def keyed_by_public(token: str) -> str:
    """Return the claims signed by HMAC with the public key as the secret."""
    header = {"alg": "HS256", "typ": "bff+jwt", "kid": "bff-ios"}
    signed = f"{segment(header)}.{token.split('.')[1]}"
    secret = public(IOS).as_pem(private=False)
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def tampered(token: str) -> str:
    """Return the token with other claims under the old signature."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "acc_00002", "x": 1}
    return f"{head}.{segment(claims)}.{signature}"


def at() -> int:
    """Return now in whole seconds."""
    return int(time.time())


FORGED_CREDENTIALS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned(
        IOS.credential("content"), alg="none", typ="bff+jwt", kid="bff-ios"
    ),
    "no signature": lambda: unsigned(
        IOS.credential("content"), alg="ES256", typ="bff+jwt", kid="bff-ios"
    ),
    "hmac with public key": lambda: keyed_by_public(IOS.credential("content")),
    "unknown kid": lambda: STRANGER.credential("content"),
    "wrong key for kid": lambda: Caller("bff-ios", STRANGER.key).credential("content"),
    "kid of another caller": lambda: Caller("bff-android", IOS.key).credential("content"),
    "issuer is not kid": lambda: IOS.credential("content", iss="bff-android"),
    "other audience": lambda: IOS.credential("accounts"),
    "audience list": lambda: IOS.credential("content", aud=["content"]),
    "other type": lambda: IOS.credential("content", typ="viewer+jwt"),
    "plain type": lambda: IOS.credential("content", typ="JWT"),
    "expired": lambda: IOS.credential("content", iat=at() - 300, exp=at() - 31),
    "issued later": lambda: IOS.credential("content", iat=at() + 60, exp=at() + 90),
    "lives too long": lambda: IOS.credential("content", iat=at(), exp=at() + 301),
    "lives backwards": lambda: IOS.credential("content", iat=at(), exp=at() - 10),
    "no expiry": lambda: IOS.credential("content", exp=None),
    "expiry as text": lambda: IOS.credential("content", exp=str(at() + 60)),
    "tampered": lambda: tampered(IOS.credential("content")),
    "not a token": lambda: "abc",
    "four dots": lambda: "a.b.c.d",
    "not ascii": lambda: "ä.ö.ü",
    "header is a list": lambda: f"{segment([])}.{segment({})}.AAAA",
    "deep header": lambda: f"{base64.urlsafe_b64encode(b'[' * 3000).decode()}.e30.AA",
    "very long": lambda: IOS.credential("content", filler="x" * 5000),
    "empty": lambda: "",
}


@pytest.mark.parametrize("forged", FORGED_CREDENTIALS.values(), ids=FORGED_CREDENTIALS)
def test_forged_credential_is_refused(check: CallerCheck, forged: Callable[[], str]) -> None:
    """Whatever is wrong with a credential, the answer is CALLER_UNKNOWN and the same detail."""
    with pytest.raises(CallerUnknown) as refused:
        check.caller(f"Bearer {forged()}")
    assert refused.value.body() == CallerUnknown().body()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer  "])
def test_missing_credential_is_refused(check: CallerCheck, header: str | None) -> None:
    """No bearer token means no known caller."""
    with pytest.raises(CallerUnknown):
        check.caller(header)


def test_honest_credential_names_caller(check: CallerCheck) -> None:
    """A valid credential gives the kid of its caller, in any case of the scheme."""
    assert check.caller(f"Bearer {IOS.credential('content')}") == "bff-ios"
    assert check.caller(f"bearer {ANDROID.credential('content')}") == "bff-android"


def test_small_clock_skew_is_allowed(check: CallerCheck) -> None:
    """Thirty seconds of skew either way are no forgery."""
    early = IOS.credential("content", iat=at() + 20, exp=at() + 80)
    late = IOS.credential("content", iat=at() - 100, exp=at() - 20)
    assert {check.caller(f"Bearer {token}") for token in (early, late)} == {"bff-ios"}


FORGED_ASSERTIONS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned(
        IOS.assertion("acc_00001"), alg="none", typ="viewer+jwt", kid="bff-ios"
    ),
    "by another known caller": lambda: ANDROID.assertion("acc_00001"),
    "by a stranger": lambda: STRANGER.assertion("acc_00001"),
    "stranger with our kid": lambda: Caller("bff-ios", STRANGER.key).assertion("acc_00001"),
    "issuer is not kid": lambda: IOS.assertion("acc_00001", iss="bff-android"),
    "credential instead": lambda: IOS.credential("core-services"),
    "other audience": lambda: IOS.assertion("acc_00001", aud="content"),
    "lives too long": lambda: IOS.assertion("acc_00001", exp=at() + 62),
    "expired": lambda: IOS.assertion("acc_00001", iat=at() - 91, exp=at() - 31),
    "no subject": lambda: IOS.assertion("acc_00001", sub=None),
    "empty subject": lambda: IOS.assertion(""),
    "subject with nul": lambda: IOS.assertion("acc\0"),
    "subject too long": lambda: IOS.assertion("a" * 65),
    "scopes as text": lambda: IOS.assertion("acc_00001", scopes="app"),
    "scopes of numbers": lambda: IOS.assertion("acc_00001", scopes=[1]),
    "device as number": lambda: IOS.assertion("acc_00001", device=7),
    "tampered": lambda: tampered(IOS.assertion("acc_00001")),
    "empty": lambda: "",
}


@pytest.mark.parametrize("forged", FORGED_ASSERTIONS.values(), ids=FORGED_ASSERTIONS)
def test_forged_assertion_is_refused(check: CallerCheck, forged: Callable[[], str]) -> None:
    """Whatever is wrong with a viewer assertion, the answer is VIEWER_INVALID."""
    with pytest.raises(ViewerInvalid):
        check.viewer(forged(), "bff-ios")


def test_honest_assertion_gives_viewer(check: CallerCheck) -> None:
    """A valid assertion gives account, device, release and scopes."""
    token = IOS.assertion("acc_00001", device="dev_1", release="ios/7.3.0/1", scopes=["app", "b"])
    viewer = check.viewer(token, "bff-ios")
    assert (viewer.account_id, viewer.device) == ("acc_00001", "dev_1")
    assert (viewer.release, sorted(viewer.scopes)) == ("ios/7.3.0/1", ["app", "b"])


def test_remembered_assertion_keeps_its_caller(check: CallerCheck) -> None:
    """An assertion verified for one caller is not taken from another one afterwards."""
    token = IOS.assertion("acc_00001")
    check.viewer(token, "bff-ios")
    with pytest.raises(ViewerInvalid):
        check.viewer(token, "bff-android")


def test_remembered_credential_expires() -> None:
    """A remembered token is refused once its time and the leeway are over."""
    clock = Clock()
    check = CallerCheck("content", {"bff-ios": public(IOS)}, clock)
    header = f"Bearer {IOS.credential('content')}"
    assert check.caller(header) == "bff-ios"
    clock.ahead_s = 400
    with pytest.raises(CallerUnknown):
        check.caller(header)


class Clock:
    """A clock that is wrong by as much as one likes."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.mark.parametrize("ahead_s", [-30, -29, 0, 29, 30])
@pytest.mark.parametrize("age_s", [0, 39])
def test_skew_within_leeway_is_nothing(ahead_s: int, age_s: int) -> None:
    """Clocks thirty seconds apart, either way, refuse nothing: neither a fresh statement nor one
    that its caller repeats as long as callers do (two thirds of its life)."""
    clock = Clock()
    check = CallerCheck("content", {"bff-ios": public(IOS)}, clock)
    signed = at() - age_s
    credential = IOS.credential("content", iat=signed, exp=signed + 300)
    assertion = IOS.assertion("acc_00001", iat=signed, exp=signed + 60)
    clock.ahead_s = ahead_s
    for _ in range(2):  # the second time it is remembered
        assert check.caller(f"Bearer {credential}") == "bff-ios"
        assert check.viewer(assertion, "bff-ios").account_id == "acc_00001"


@pytest.mark.parametrize("ahead_s", [-120, 120])
def test_skew_beyond_leeway_is_refused(ahead_s: int) -> None:
    """Clocks two minutes apart refuse every viewer, and the cause says by how much, for the alarm;
    a credential lives longer, and is refused where it comes from the future."""
    clock = Clock()
    clock.ahead_s = ahead_s
    check = CallerCheck("content", {"bff-ios": public(IOS)}, clock)
    with pytest.raises(ViewerInvalid) as refused:
        check.viewer(IOS.assertion("acc_00001"), "bff-ios")
    cause = refused.value.__cause__
    assert isinstance(cause, NotNowError)
    assert abs(cause.ahead_s + ahead_s) < 2
    credential = f"Bearer {IOS.credential('content')}"
    if ahead_s > 0:
        assert check.caller(credential) == "bff-ios"
    else:
        with pytest.raises(CallerUnknown):
            check.caller(credential)


def test_memory_of_tokens_is_bounded(check: CallerCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old tokens make room: the memory holds no more than its limit."""
    monkeypatch.setattr(callers, "_REMEMBERED", 3)
    for number in range(6):
        check.viewer(IOS.assertion(f"acc_{number}"), "bff-ios")
    assert len(check._viewers._entries) == 3
