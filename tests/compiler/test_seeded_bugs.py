"""The proofs of this folder can fail: each bug planted in the compiler is caught by one of them.

The compiler's files are not touched; a bug whose place is not found any more fails here too.
"""

from __future__ import annotations

from unittest import mock

import pytest

from tests.compiler import proofs
from tests.compiler.planting import Change, NotFound, planted
from tests.compiler.proofs import PROOFS, caught
from tests.compiler.seeded_bugs import BUGS, Bug
from tests.compiler.subject import Subject

REQUIRED = {
    *("bool as Int", "no range of Int", "not a number", "enum by equality"),
    *("is_type_of not asked", "abstract type kept for a class", "outcome of @skip ignored"),
    *("null in a strict list", "function of a source not called", "awaitable item not awaited"),
    *("fence class ignored in the key", "dropped item left as null"),
    *("error of what is withheld told", "fallback that the build does not know"),
    *("order of keys lost", "path without its order", "feeder dropped", "join budget ignored"),
}

pytestmark = [
    # graphql-core itself drops coroutines that it cancels before they began; planted bugs, more.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


# The others run by themselves, over the compiler as it is, in the same folder.
QUICK = ("directed", "waves")
UNPLANTED = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.verify) for name in PROOFS
]


@pytest.mark.parametrize("proof", UNPLANTED)
async def test_nothing_planted_is_nothing_caught(proof: str) -> None:
    """The compiler as it is passes every proof in the form the gate uses."""
    usual = Subject().executor
    # A bug is caught by hanging too; what has none may take its time on a busy machine.
    with planted(()), mock.patch.object(proofs, "PATIENCE_S", 60.0):
        assert Subject().executor is not usual
        assert await PROOFS[proof]() is None
    assert Subject().executor is usual


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(bug, id=bug.name, marks=() if bug.name in REQUIRED else pytest.mark.verify)
        for bug in BUGS
    ],
)
async def test_planted_bug_is_caught(bug: Bug) -> None:
    """At least one proof tells this bug."""
    with planted(bug.changes):
        assert await caught(bug.by) is not None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_has_its_place(bug: Bug) -> None:
    """Each can be planted in the compiler as it is written now."""
    with planted(bug.changes):
        assert Subject().executor.__module__ == "bff.plans.hook"


def test_the_worst_bugs_are_planted() -> None:
    """The list holds those bugs that any list must hold, each once."""
    names = [bug.name for bug in BUGS]
    assert set(names) >= REQUIRED
    assert len(set(names)) == len(names) >= 12


@pytest.mark.parametrize("change", [Change("run.py", "nowhere", ""), Change("no.py", "", "")])
def test_a_lost_place_is_an_error(change: Change) -> None:
    """A bug that cannot be planted as written does not count as caught."""
    with pytest.raises(NotFound), planted([change]):
        pass
