"""Saving and unsaving: one effect for each key, in the transaction that remembers the answer."""

import asyncio

import pytest
from sqlalchemy import func, select

from core_services.content.records import SavedPage, SavedState
from core_services.content.tables import saved
from core_services.kit.revisions import current_revision
from core_services.kit.tables import idempotency_keys
from tests.unit.core_services.content.seeded import Seeded


async def _put(content: Seeded, viewer: str, item: str, key: str) -> SavedState:
    answer = await content.call("PUT", f"/saved/{item}", viewer, key)
    assert answer.status_code == 200, answer.text
    return SavedState.model_validate_json(answer.content)


async def _delete(content: Seeded, viewer: str, item: str, key: str) -> SavedState:
    answer = await content.call("DELETE", f"/saved/{item}", viewer, key)
    assert answer.status_code == 200, answer.text
    return SavedState.model_validate_json(answer.content)


async def _revision(content: Seeded, viewer: str) -> int:
    async with content.database.reader() as connection:
        return await current_revision(connection, viewer)


async def test_save_then_unsave_moves_list(content: Seeded) -> None:
    """A saved item leads the saved list, an unsaved one is gone from it, with rising revisions."""
    viewer = "save_a"
    done = await _put(content, viewer, "itm_00010", "a-1")
    assert (done.saved, done.state) == (True, "SAVED")
    page = await content.read(SavedPage, "GET", "/saved", viewer)
    assert [entry.item.id for entry in page.entries] == ["itm_00010"]
    assert page.entries[0].saved_at == done.updated_at
    undone = await _delete(content, viewer, "itm_00010", "a-2")
    assert (undone.saved, undone.state) == (False, "UNSAVED")
    assert undone.revision > done.revision
    assert (await content.read(SavedPage, "GET", "/saved", viewer)).total == 0


async def test_replay_returns_first_answer(content: Seeded) -> None:
    """A repeat with the same key answers what the first call did, though things moved on since."""
    viewer, path = "save_b", "/saved/itm_00011"
    first = await content.call("PUT", path, viewer, "b-1")
    await content.call("DELETE", path, viewer, "b-2")
    again = await content.call("PUT", path, viewer, "b-1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert (await content.read(SavedPage, "GET", "/saved", viewer)).total == 0


async def test_other_input_same_key(content: Seeded) -> None:
    """A key that stood for another item is refused and saves nothing."""
    await _put(content, "save_c", "itm_00012", "c-1")
    answer = await content.call("PUT", "/saved/itm_00013", "save_c", "c-1")
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await content.read(SavedPage, "GET", "/saved", "save_c")).total == 1


async def test_keys_belong_to_accounts(content: Seeded) -> None:
    """The same key of two accounts, and of the two operations, are different keys."""
    await _put(content, "save_d", "itm_00014", "d-1")
    await _put(content, "save_e", "itm_00015", "d-1")
    undone = await _delete(content, "save_d", "itm_00014", "d-1")
    assert undone.state == "UNSAVED"


async def test_parallel_repeats_act_once(content: Seeded) -> None:
    """Twenty calls at once with one key have one effect and one answer."""
    viewer = "save_f"
    answers = await asyncio.gather(
        *(content.call("PUT", "/saved/itm_00016", viewer, "f-1") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    assert await _revision(content, viewer) == 1


async def test_parallel_intents_stay_consistent(content: Seeded) -> None:
    """Saves and unsaves at once leave one row whose revision is among those told."""
    viewer = "save_g"
    calls = [
        content.call(("PUT", "DELETE")[number % 2], "/saved/itm_00017", viewer, f"g-{number}")
        for number in range(20)
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    async with content.database.reader() as connection:
        query = select(saved.c.revision, saved.c.saved_at).where(saved.c.account_id == viewer)
        row = (await connection.execute(query)).one()
    told = [answer.json() for answer in answers if answer.json()["revision"] == row.revision]
    assert told
    assert {state["saved"] for state in told} == {row.saved_at is not None}


async def test_repeated_intent_keeps_revision(content: Seeded) -> None:
    """Saving what is saved, with a new key, answers the revision and time of the first save."""
    first = await _put(content, "save_h", "itm_00018", "h-1")
    second = await _put(content, "save_h", "itm_00018", "h-2")
    assert second == first


async def test_unsaving_unknown_is_remembered(content: Seeded) -> None:
    """Unsaving what was never saved answers UNSAVED, and repeats its revision later."""
    first = await _delete(content, "save_i", "itm_00019", "i-1")
    second = await _delete(content, "save_i", "itm_00019", "i-2")
    assert (first.state, second) == ("UNSAVED", first)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_unknown_item_leaves_nothing(content: Seeded, method: str) -> None:
    """An unknown item is 404; neither key nor revision remain of the call."""
    viewer = f"save_j_{method}"
    answer = await content.call(method, "/saved/nope", viewer, "j-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert await _revision(content, viewer) == 0
    async with content.database.reader() as connection:
        query = select(func.count()).where(idempotency_keys.c.scope == viewer)
        assert (await connection.execute(query)).scalar_one() == 0


async def test_seeded_revisions_go_on(content: Seeded) -> None:
    """The first write of a seeded account has a higher revision than everything it was told."""
    async with content.database.reader() as connection:
        query = select(func.max(saved.c.revision)).where(saved.c.account_id == "acc_00001")
        told = (await connection.execute(query)).scalar_one()
    # An item the seed never saves for this account: its own row must be written.
    done = await _put(content, "acc_00001", "itm_00001", "seeded-1")
    assert done.revision > told
    await _delete(content, "acc_00001", "itm_00001", "seeded-2")


async def test_key_is_required(content: Seeded) -> None:
    """A write without a key is refused before anything happens."""
    answer = await content.call("PUT", "/saved/itm_00020", "save_k")
    assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
