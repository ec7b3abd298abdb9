"""The version gate's verdict on one app build: a pure function of how it stands.

    blocked, retired                                        BLOCKED
    below the minimum, and the store has one that is not    FORCE_UPGRADE
    below the minimum, and the store has none yet           SOFT_UPGRADE
    below the recommended version, or in sunset             SOFT_UPGRADE
    anything else, a caller who names no version included   OK

A release that is draft, in review or rolling out is in no store for everybody: only a live one
counts as there to upgrade to, or users would be sent to a store that offers them what they have.
"""

from __future__ import annotations

from enum import StrEnum

from bff.standing import GateAnswers, Standing


class Verdict(StrEnum):
    """What the app is told as `extensions.client.status`."""

    OK = "OK"
    SOFT_UPGRADE = "SOFT_UPGRADE"
    FORCE_UPGRADE = "FORCE_UPGRADE"
    BLOCKED = "BLOCKED"


NO_GATE = GateAnswers()


def judge(standing: Standing) -> Verdict:
    """The verdict on a caller; nobody is refused here."""
    gate = standing.gate or NO_GATE
    if standing.state in ("blocked", "retired"):
        return Verdict.BLOCKED
    if gate.below_minimum and gate.available:
        return Verdict.FORCE_UPGRADE
    if gate.below_minimum or gate.below_recommended or standing.state == "sunset":
        return Verdict.SOFT_UPGRADE
    return Verdict.OK
