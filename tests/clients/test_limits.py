"""What apps are given by Apollo Client and urql where the gateway limits (429) or sheds (503)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.gateways import Gateways
from tests.clients.node import Node
from tests.clients.seen import Exchange, Seen

pytestmark = [pytest.mark.clients, pytest.mark.modeless, pytest.mark.timeout(300)]

TIMES = 12
# One request of a device, and the next in a minute; of all others one at a time.
TOLD = {
    "BFF__LIMITS__ENFORCED": "true",
    "BFF__LIMITS__DEVICE_PER_MINUTE": "1",
    "BFF__LIMITS__DEVICE_BURST": "1",
    "BFF__ADMISSION__MAX_IN_FLIGHT": "1",
    "BFF__ADMISSION__MIN_IN_FLIGHT": "1",
    "BFF__ADMISSION__MAX_WAITING": "0",
}


@pytest.fixture(scope="module")
def seen(node: Node, web_gateways: Gateways, token: str) -> dict[str, Any]:
    """The results of the script, by scenario."""
    url = web_gateways.url("web", "open", **TOLD)
    results: dict[str, Any] = node.run_script("limited.mjs", TOKEN=token, URL=url)
    return results


def refused(seen: dict[str, Any], scenario: str, status: int) -> list[tuple[Exchange, Any]]:
    """The exchanges of that status with what the app was given for them: each app has one answer a
    request, in the order it asked."""
    found = Seen(seen[scenario])
    assert len(found.exchanges) == len(found.deliveries) == TIMES
    told = [one for one in found.deliveries if one["errors"] and one["data"] is None]
    exchanges = [one for one in found.exchanges if one.line[1] == status]
    assert 0 < len(exchanges) == len(told) < TIMES, found.lines
    return list(zip(exchanges, told, strict=True))


@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("apollo", 429, "RATE_LIMITED"),
        ("urql", 429, "RATE_LIMITED"),
        ("apolloShed", 503, "OVERLOADED"),
        ("urqlShed", 503, "OVERLOADED"),
    ],
)
def test_apps_are_told_when_to_come_back(
    seen: dict[str, Any], scenario: str, status: int, code: str
) -> None:
    """Both libraries read the body of a 429 and of a 503: the app is given the code and the time as
    GraphQL errors, not a bare network failure, and no library asks again by itself."""
    for exchange, told in refused(seen, scenario, status):
        assert exchange.codes == [code]
        assert int(exchange.answer_headers["retry-after"]) >= 1
        assert exchange.answer_headers["cache-control"] == "no-store"
        (error,) = told["errors"]
        assert error["extensions"]["code"] == code
        assert error["extensions"]["retryAfterMs"] >= 1_000
        assert told.get("kind", "CombinedGraphQLErrors") == "CombinedGraphQLErrors"
        assert told.get("network") is None


@pytest.mark.parametrize("scenario", ["apollo", "urql"])
def test_limits_are_told_by_headers(seen: dict[str, Any], scenario: str) -> None:
    """A limited answer names policy and state, which a browser app may read."""
    for exchange, _ in refused(seen, scenario, 429):
        assert exchange.answer_headers["ratelimit-policy"] == '"device";q=1;w=60'
        assert exchange.answer_headers["ratelimit"].startswith('"device";r=0;t=')
