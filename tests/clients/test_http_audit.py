"""The public GraphQL-over-HTTP audit suite against a gateway in open mode."""

from __future__ import annotations

import sys

import pytest

from tests.clients.gateways import Gateways
from tests.clients.node import Node

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

# What graphql-http 1.23.1 asks; fewer would mean that some were not run.
LEVELS = {"MUST": 13, "SHOULD": 23, "MAY": 25}


@pytest.mark.parametrize("platform", ["ios", "android", "web"])
def test_no_requirement_fails(mobile_gateways: Gateways, node: Node, platform: str) -> None:
    """Every MUST and every SHOULD of the audit holds on every platform; all results are printed."""
    audits = node.run_script("audit.mjs", OPEN_URL=mobile_gateways.url(platform, "open"))
    for audit in audits:
        reason = f"  ({audit['reason']})" if audit["reason"] else ""
        sys.stdout.write(f"{platform:8}{audit['id']} {audit['status']:7}{audit['name']}{reason}\n")
    by_level = {level: [a for a in audits if a["name"].startswith(level)] for level in LEVELS}
    failed = [a for a in by_level["MUST"] + by_level["SHOULD"] if a["status"] != "ok"]
    assert failed == []
    assert {level: len(found) for level, found in by_level.items()} == LEVELS
