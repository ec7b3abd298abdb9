"""What accounts says of keeping its answers, on the wire."""

from __future__ import annotations

from .conftest import Accounts
from .test_sign_in import sign_in


async def test_cards_are_tagged_by_account(service: Accounts) -> None:
    """Cards may be kept by anybody, under the accounts that exist."""
    asked = {"ids": ["acc_00001", "acc_00002", "nobody"]}
    answer = await service.call("POST", "/v1/cards/batch", json=asked)
    assert answer.headers["cache-control"].startswith("public, max-age=60, ")
    assert answer.headers["cache-tag"] == "account:acc_00001,account:acc_00002"


async def test_profile_is_the_viewers(service: Accounts) -> None:
    """A profile is private, asked for every time, and stands in while the service is away."""
    answer = await service.call("GET", "/v1/profile", viewer="acc_00020")
    assert answer.headers["cache-control"] == "private, max-age=0, stale-if-error=3600"
    assert answer.headers["cache-tag"] == "profile:acc_00020,viewer:acc_00020"


async def test_tokens_and_refusals_are_not_kept(service: Accounts) -> None:
    """An answer with a token, and every refusal, is no-store."""
    signed_in = await sign_in(service, "reader00021")
    refused = await service.call("GET", "/v1/profile")
    assert (signed_in.status_code, refused.status_code) == (200, 401)
    assert {one.headers["cache-control"] for one in (signed_in, refused)} == {"no-store"}
    assert signed_in.headers["cache-invalidate"] == "profile:acc_00021"


async def test_write_tells_what_is_old(service: Accounts) -> None:
    """Exactly what changed: a name is on the public card too, a biography is not; a replay says
    the same, because the first answer may have been lost."""
    for change, old in (
        ({"bio": "x"}, "profile:acc_00022"),
        ({"display_name": "X"}, "profile:acc_00022,account:acc_00022"),
    ):
        key = f"fresh-{len(old)}-{service.settings.database_url}"[:60]
        answers = [
            await service.call("PATCH", "/v1/profile", viewer="acc_00022", key=key, json=change)
            for _ in range(2)
        ]
        assert [one.headers["cache-invalidate"] for one in answers] == [old, old]
        assert "idempotency-replayed" in answers[1].headers
    out = await service.call("POST", "/v1/sign-out", viewer="acc_00022")
    assert out.headers["cache-invalidate"] == "viewer:acc_00022"
    assert out.headers["cache-control"] == "no-store"
