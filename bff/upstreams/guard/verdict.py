"""What one attempt says about the service that was asked."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """`CUT` says nothing: we stopped waiting, or the fault was in what we sent. `LATE` is silence
    for all the time the service has; if we are late ourselves, it says nothing either."""

    GOOD = "good"
    BAD = "bad"
    LATE = "late"
    CUT = "cut"
