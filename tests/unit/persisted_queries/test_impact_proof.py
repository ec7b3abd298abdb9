"""Two independent judges of one question, over small changes of the real schemas: may a shipped
document stay as it is? Whatever the proof of a hot-fix finds, the impact of a change finds too."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from graphql import build_schema

from persisted_queries.impact import impacts
from persisted_queries.releases import read_releases
from persisted_queries.shape import compatible
from tests.unit.persisted_queries.mutations import built, mutations
from tests.unit.persisted_queries.shipped import shipped

PLATFORMS = ("ios", "android", "web")
SORTS = ("removed", "nullable", "non-null", "gains", "listed", "other default", "one of", "Int")
# Where the impact is stricter, as both catalogues are: a value that would be taken as a list of
# one, and a promise of an interface that its types still keep today.
STRICTER = ("listed", "nullable", "other items")


def sdl(platform: str) -> str:
    return (Path("schema") / platform / "schema.graphql").read_text("utf-8")


def texts(platform: str) -> list[str]:
    """What the newest release of the sample apps sends."""
    folder = Path("persisted_queries") / platform / "releases"
    return [one.body for one in read_releases(folder, platform)[-1].manifest.operations]


def compare_judges(platform: str, changes: int, documents: int) -> Counter[tuple[bool, bool]]:
    """(breaks by impact, breaks by proof) of so many changes, each judged for some documents."""
    chance = random.Random(f"{platform} {changes}")
    text, bodies = sdl(platform), texts(platform)
    current = build_schema(text)
    found: Counter[tuple[bool, bool]] = Counter()
    for name, changed in chance.sample(list(mutations(text)), changes):
        proposed = built(changed)
        if proposed is None:
            continue
        for body in chance.sample(bodies, documents):
            (impact,) = impacts(proposed, current, [shipped(body, built=text)])
            proof = compatible(body, body, current, proposed)
            assert impact.breaks or not proof, (name, body, [str(one) for one in proof])
            assert proof or not impact.breaks or name.endswith(STRICTER), (name, body, impact)
            found[impact.breaks, bool(proof)] += 1
    return found


def test_mutations_are_of_every_sort() -> None:
    """The changes are many, and of every sort."""
    names = [name for name, _ in mutations(sdl("web"))]
    assert len(names) > 1_000
    assert all(any(sort in name for name in names) for sort in SORTS)


def test_impact_finds_what_proof_finds() -> None:
    """A few changes of one platform; the judges agree on documents that break and on others."""
    found = compare_judges("ios", 40, 1)
    assert found[True, True] >= 1
    assert found[False, False] >= 20


@pytest.mark.verify
@pytest.mark.timeout(900)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_impact_finds_all_of_proof(platform: str) -> None:
    """The same for six hundred changes of every platform."""
    found = compare_judges(platform, 600, 2)
    assert found[True, True] >= 40
    assert found[False, False] >= 400
