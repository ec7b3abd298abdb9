"""What the rules and the dashboard of deploy/ read is shown by processes that run."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.contract.test_deploy_alerts import ITS_OWN, expressions
from tests.harness.stack import Stack

pytestmark = pytest.mark.modeless


async def test_metrics_are_shown(stack: Stack) -> None:
    """Each metric of a rule or a panel is among those of a running gateway or a running service;
    labels are held by the contract tests."""
    async with httpx2.AsyncClient(timeout=30) as client:
        gateway = (await client.get(f"{stack.url('ios')}/metrics")).text
        service = (await client.get(f"{stack.where.service_url('accounts')}/metrics")).text
    shown = set(re.findall(r"^# TYPE (\w+)", gateway + service, re.M))
    asked = {name for one in expressions() for name, _ in one.selectors()} - ITS_OWN.keys()
    assert asked
    assert {
        name for name in asked if re.sub(r"_(bucket|sum|count)$", "", name) not in shown
    } == set()
