"""bff/client/verdict.py: the verdict on an app build."""

from typing import Any

import pytest

from bff.client.verdict import Verdict, judge
from bff.standing import GateAnswers, Standing

SUPPORTED = ["draft", "in_review", "rolling_out", "live", None]


def verdict(state: str | None = "live", **answers: Any) -> Verdict:
    return judge(Standing(release="7.3.0+1", state=state, gate=GateAnswers(**answers)))


@pytest.mark.parametrize("state", SUPPORTED)
def test_new_enough_is_ok(state: str | None) -> None:
    """Whoever is below nothing is left alone, whatever the state of a release that is served."""
    assert verdict(state, available=True) is Verdict.OK


@pytest.mark.parametrize("state", [*SUPPORTED, "sunset"])
def test_below_minimum_must_upgrade(state: str | None) -> None:
    """Below the minimum an upgrade is forced, once the store has it."""
    assert verdict(state, below_minimum=True, available=True) is Verdict.FORCE_UPGRADE


@pytest.mark.parametrize("state", [*SUPPORTED, "sunset"])
def test_nothing_to_upgrade_to_is_soft(state: str | None) -> None:
    """Nobody is sent to a store that has nothing newer for him."""
    assert verdict(state, below_minimum=True, available=False) is Verdict.SOFT_UPGRADE


def test_below_recommended_is_soft() -> None:
    """Below the recommended version an upgrade is hinted at; the minimum says more."""
    assert verdict(below_recommended=True, available=True) is Verdict.SOFT_UPGRADE
    both = verdict(below_recommended=True, below_minimum=True, available=True)
    assert both is Verdict.FORCE_UPGRADE


def test_sunset_is_soft() -> None:
    """The users of a release that ends are told to upgrade."""
    assert verdict("sunset") is Verdict.SOFT_UPGRADE


@pytest.mark.parametrize("state", ["blocked", "retired"])
@pytest.mark.parametrize("below", [True, False])
def test_blocked_is_blocked(state: str, below: bool) -> None:
    """A release that was taken out of service is blocked, with or without a gate."""
    assert verdict(state, below_minimum=below, available=below) is Verdict.BLOCKED
    assert judge(Standing(release="7.3.0+1", state=state)) is Verdict.BLOCKED


def test_without_gate_is_ok() -> None:
    """A platform without a gate asks nobody to upgrade."""
    assert judge(Standing(release="7.3.0+1", state="live")) is Verdict.OK
    assert judge(Standing()) is Verdict.OK
