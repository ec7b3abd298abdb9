"""A wrong plan is found: by any byte, error or key that graphql-core would have otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.plans.compiler import CompiledPlan, NotCompiled
from bff.plans.shadow import DIFFERS
from tests.unit.bff.plans.shadow_world import Shadowing, World, context, prepared

PEOPLE = '{ people(keys: ["a", "b"]) { id friend { name } } }'


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    World.begin()
    yield
    World.begin()


def root_made(change: Callable[[dict[str, Any], Any], object]) -> Callable[[CompiledPlan], None]:
    """Makes a plan wrong: `change` is given what its root function answers, and the run."""

    def wrong(plan: CompiledPlan) -> None:
        (right,) = plan.roots

        def root(source: Any, place: Any, run: Any) -> dict[str, Any]:
            found: dict[str, Any] = right(source, place, run)
            change(found, run)
            return found

        plan.roots = (root,)

    return wrong


def _shouting(found: dict[str, Any], _run: Any) -> None:
    found["note"] = found["note"].upper()


async def test_wrong_plan_is_found_and_disabled(tmp_path: Path) -> None:
    """A plan that answers otherwise raises the alarm, leaves its redacted pair, and is not used
    again: the next answer is generic, with the reason."""
    shadowing = Shadowing(directory=tmp_path / "kept")
    text = 'query ($given: String = "Secret given") { note a: note(text: $given) }'
    with capture_logs() as logs:
        assert await shadowing.outcome(text, wrong=root_made(_shouting)) == "differs"
    (alarm,) = [line for line in logs if line["event"] == "plan_differs"]
    assert (alarm["log_level"], alarm["difference"], alarm["paths"]) == (
        "error",
        "data",
        [["note"]],
    )
    (file,) = (tmp_path / "kept").iterdir()
    assert file.name == alarm["file"]
    text_kept = file.read_text()
    assert "ecret" not in text_kept
    assert "SECRET" not in text_kept
    kept = json.loads(text_kept)
    compiled, generic = kept["compiled"]["data"], kept["generic"]["data"]
    assert compiled["a"] == generic["a"] == kept["variables"]["given"]
    assert compiled["note"] != generic["note"]
    assert compiled["note"].startswith("str(11)#")

    operation = prepared(text)
    found = await shadowing.executor.execute(operation, {}, context())
    assert (found.plan, found.data) == (
        f"generic({DIFFERS})",
        {"note": "Secret note", "a": "Secret given"},
    )
    assert shadowing.executor.plans.counters.fallbacks == {("operation", DIFFERS): 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(note=None),
        lambda found: found.pop("note"),
        lambda found: found.update(more=1),
        lambda found: found.update(note=found.pop("note")),
        lambda found: found.update(yes=1),
        lambda found: found["person"].update(age="4711"),
    ],
    ids=["null", "key left out", "key more", "order of keys", "number for a truth", "text"],
)
async def test_any_other_data_is_found(change: Callable[[dict[str, Any]], object]) -> None:
    """Values and their types, nulls, keys and their order: data is compared byte for byte."""
    shadowing = Shadowing()
    found = await shadowing.ask('{ note tail: note yes: timeLeft person(key: "x") { age } }')
    assert found.data
    change(found.data)  # as if the plan had answered so: the pair holds this very object
    assert await shadowing.judged() == ["differs"]


async def test_error_that_is_not_told_is_found() -> None:
    """Null for an error that the plan does not list is a difference, though data is equal."""
    shadowing = Shadowing()
    quiet = root_made(lambda found, run: run.errors.errors.clear())
    with capture_logs() as logs:
        assert await shadowing.outcome("{ note faulty }", wrong=quiet) == "differs"
    (alarm,) = [line for line in logs if line["event"] == "plan_differs"]
    assert (alarm["difference"], alarm["paths"]) == ("errors", [["faulty"]])


async def test_key_never_asked_for_is_found() -> None:
    """Without any error, a key that only graphql-core asks for is a difference of its own."""
    shadowing = Shadowing()
    forgetful = root_made(lambda found, run: run.waves[0].keys.pop("b"))
    with capture_logs() as logs:
        assert await shadowing.outcome(PEOPLE, wrong=forgetful) == "differs"
    (alarm,) = [line for line in logs if line["event"] == "plan_differs"]
    assert (alarm["difference"], alarm["paths"]) == ("asked for more", [["people", 1]])


async def test_key_asked_for_nothing_is_found() -> None:
    """Nor may a plan ask for what nobody needs, though its data is right."""
    shadowing = Shadowing()

    def greedy(found: dict[str, Any], run: Any) -> None:
        slots = next(iter(run.waves[0].keys.values()))
        run.want(0, "spare", slots[0][2], slots[0][3], {}, "nowhere")

    with capture_logs() as logs:
        outcome = await shadowing.outcome("{ me { id } }", wrong=root_made(greedy))
    assert outcome == "differs"
    (alarm,) = [line for line in logs if line["event"] == "plan_differs"]
    assert alarm["difference"] == "asked for less"


async def test_full_disk_costs_the_file_only(tmp_path: Path) -> None:
    """Where the pair cannot be kept, the plan is disabled and the alarm raised all the same."""
    (tmp_path / "kept").write_text("no directory")
    shadowing = Shadowing(directory=tmp_path / "kept")
    with capture_logs() as logs:
        assert await shadowing.outcome("{ note }", wrong=root_made(_shouting)) == "differs"
    assert {"plan_difference_not_kept", "plan_differs"} <= {line["event"] for line in logs}
    with pytest.raises(NotCompiled, match=DIFFERS):
        shadowing.executor.plans.get((prepared("{ note }").document_hash, None))


async def test_disabled_plan_tells_nothing_new() -> None:
    """Pairs that wait when their plan is disabled are dropped: one alarm a plan."""
    shadowing = Shadowing()
    await shadowing.ask("{ note }", wrong=root_made(_shouting))
    await shadowing.ask("{ note }")
    await shadowing.ask("{ me { id } }")
    assert await shadowing.judged(3) == ["differs", "dropped", "equal"]
