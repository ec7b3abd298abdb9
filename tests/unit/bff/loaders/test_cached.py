"""Loads through the cache: who is asked, how often, and what is given when nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from bff.errors import UpstreamUnavailable
from bff.store.records import MOST_TAGS
from tests.unit.bff.loaders.cached_world import ANN, OWN, Process, Service, away, until


async def test_fresh_answers_cost_no_call() -> None:
    """A key that is kept is given without a call, whichever way it is asked for."""
    process = Process(Service())
    assert await process.names("a", "b") == ["a 1", "b 1"]
    process.service.version = 2
    loader = process.cards()
    assert await process.names("b", "a", loader=loader) == ["b 1", "a 1"]
    one = await process.cards().load("a")
    assert one is not None
    assert one.display_name == "a 1"
    assert process.service.asked == [["a", "b"]]
    assert (loader.caller.log.cached, loader.caller.log.total) == (2, 0)


async def test_only_missing_keys_are_asked() -> None:
    """Of a list only what is not kept goes to the service; the answers stand in their places."""
    process = Process(Service())
    await process.names("a", "c")
    assert await process.names("d", "c", "b", "a") == ["d 1", "c 1", "b 1", "a 1"]
    assert process.service.asked == [["a", "c"], ["d", "b"]]


async def test_keys_are_kept_by_either_way() -> None:
    """Keys loaded one by one are kept as those of a list."""
    process = Process(Service())
    loader = process.cards()
    await asyncio.gather(loader.load("a"), loader.load("b"))
    assert await process.names("b", "a") == ["b 1", "a 1"]
    assert len(process.service.calls) == 1


async def test_silent_service_is_asked_always() -> None:
    """Where nothing is declared nothing is kept, and nobody waits for a call that left before."""
    process = Process(Service(control=None))
    await process.names("a")
    process.service.gate.clear()
    first = asyncio.create_task(process.names("a"))
    await until(lambda: len(process.service.calls) == 2)
    process.service.version = 2
    second = asyncio.create_task(process.names("a"))
    await until(lambda: len(process.service.calls) == 3)
    process.service.gate.set()
    assert (await first, await second) == (["a 1"], ["a 2"])
    assert len(process.cache) == 0


async def test_one_silent_answer_takes_nothing() -> None:
    """A good answer that declares nothing, once, leaves the last good ones of others in place."""
    process = Process(Service())
    await process.names("a")
    process.clock.now += 200
    process.service.control = None
    assert await process.names("b") == ["b 1"]
    process.service.fault = away()
    assert await process.names("a") == ["a 1"]
    assert await process.names("b") == ["UPSTREAM_UNAVAILABLE"]


async def test_silent_service_is_left_alone_again() -> None:
    """Once nothing is kept any more of a service that declares nothing, nothing is looked up."""
    process = Process(Service())
    await process.names("a")
    process.service.control = None
    await process.names("b")
    process.cache.clear()
    loader = process.cards()
    assert await process.names("c", loader=loader) == ["c 1"]
    assert loader._shelf is not None
    assert loader._shelf.idle


@pytest.mark.parametrize("coalesce", [True, False])
async def test_writes_of_viewers_part_nobody(coalesce: bool) -> None:
    """Requests for one cold key are one call, though viewers write all the time meanwhile."""
    process = Process(Service(), coalesce=coalesce)
    process.service.tags = "account"
    await process.names("z")
    process.service.gate.clear()
    loads = []
    for n in range(20):
        process.cache.outdated([f"saved:{n}", f"viewer:account-{n}"])
        loads.append(asyncio.create_task(process.names("a")))
        for _ in range(10):
            await asyncio.sleep(0)
    process.service.gate.set()
    assert await asyncio.gather(*loads) == [["a 1"]] * 20
    assert process.service.asked == [["z"], ["a"]]


async def test_new_kind_of_tag_is_minded() -> None:
    """A write of a kind that the service's answers never bore before: who joined the call under
    way after it is not given what that brings, and it is not kept."""
    process = Process(Service())
    await process.names("z")
    process.service.gate.clear()
    first = asyncio.create_task(process.names("a"))
    await until(lambda: len(process.service.calls) == 2)
    process.clock.now += 1
    process.cache.outdated(["avatar:a"])
    process.service.version = 2
    second = asyncio.create_task(process.names("a"))
    for _ in range(10):
        await asyncio.sleep(0)
    process.service.tags = "avatar:a"
    process.service.gate.set()
    assert (await first, await second) == (["a 1"], ["a 2"])
    assert process.counted.counts["refused.outdated"] > 0


async def test_unkept_answers_are_shared_too() -> None:
    """An answer with too many tags is not kept, but is everybody's who waited for it."""
    process = Process(Service())
    await process.names("z")
    process.service.tags = ",".join(f"topic:{n}" for n in range(MOST_TAGS + 1))
    process.service.gate.clear()
    loads = []
    for _ in range(10):
        loads.append(asyncio.create_task(process.names("a")))
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    process.service.gate.set()
    assert await asyncio.gather(*loads) == [["a 1"]] * 10
    assert process.service.asked == [["z"], ["a"]]


async def test_always_asked_is_not_missed() -> None:
    """A viewer's answers that are new each time by declaration are no misses of the cache."""
    process = Process(Service(OWN))
    process.service._body = lambda call, version: PROFILE
    for _ in range(3):
        await process.profile().load(ANN.account_id)
    assert process.counted.counts["memory.miss"] == 1  # before the service had said anything


@pytest.mark.parametrize("coalesce", [True, False])
async def test_cold_key_is_asked_once(coalesce: bool) -> None:
    """200 requests for a key nobody has, at any moment while it is asked for: one call."""
    process = Process(Service(), coalesce=coalesce)
    process.service.gate.clear()
    loads = []
    for _ in range(200):
        loads.append(asyncio.create_task(process.names("a")))
        await asyncio.sleep(0)
    await until(lambda: len(process.service.calls) > 0)
    process.service.gate.set()
    assert await asyncio.gather(*loads) == [["a 1"]] * 200
    assert process.service.asked == [["a"]]


async def test_who_waits_also_asks() -> None:
    """Of keys some of which are on their way, only the others are asked for."""
    process = Process(Service())
    process.service.gate.clear()
    first = asyncio.create_task(process.names("a", "b"))
    await until(lambda: len(process.service.calls) == 1)
    second = asyncio.create_task(process.names("c", "b"))
    await until(lambda: len(process.service.calls) == 2)
    process.service.gate.set()
    assert (await first, await second) == (["a 1", "b 1"], ["c 1", "b 1"])
    assert process.service.asked == [["a", "b"], ["c"]]


async def test_who_leaves_takes_nobody_along() -> None:
    """The request that asks is cancelled: those who waited for it ask once more, together."""
    process = Process(Service())
    process.service.gate.clear()
    first = asyncio.create_task(process.names("a"))
    await until(lambda: len(process.service.calls) == 1)
    others = [asyncio.create_task(process.names("a")) for _ in range(20)]
    for _ in range(10):
        await asyncio.sleep(0)
    first.cancel()
    process.service.gate.set()
    assert await asyncio.gather(*others) == [["a 1"]] * 20
    assert len(process.service.calls) == 2


async def test_failure_is_everybodys_but_not_kept() -> None:
    """A service that is away answers all who waited with one call, each with an error of its own;
    the next request asks again."""
    process = Process(Service())
    process.service.fault = away()
    process.service.gate.clear()
    loaders = [process.cards() for _ in range(20)]
    loads = [asyncio.create_task(loader.load_all(["a"])) for loader in loaders]
    await until(lambda: len(process.service.calls) == 1)
    for _ in range(10):
        await asyncio.sleep(0)
    process.service.gate.set()
    errors = [answers[0] for answers in await asyncio.gather(*loads)]
    assert all(isinstance(error, UpstreamUnavailable) for error in errors)
    assert len({id(error) for error in errors}) == 20
    assert len(process.service.calls) == 1
    process.service.fault = None
    assert await process.names("a") == ["a 1"]


async def test_waiting_ends_at_the_deadline() -> None:
    """Who waits for another request's call leaves at his own deadline."""
    process = Process(Service())
    process.service.gate.clear()
    first = asyncio.create_task(process.names("a"))
    await until(lambda: len(process.service.calls) == 1)
    hurried = process.cards(milliseconds=50)
    assert await process.names("a", loader=hurried) == ["DEADLINE_EXCEEDED"]
    process.service.gate.set()
    assert await first == ["a 1"]


async def test_stale_is_given_and_refreshed_once() -> None:
    """Past its max-age an answer is given at once, and asked for anew by one call nobody waits
    for; that one's answer is given next."""
    process = Process(Service())
    await process.names("a", "b")
    process.clock.now += 61
    process.service.version = 2
    process.service.gate.clear()
    for _ in range(5):
        assert await process.names("a", "b") == ["a 1", "b 1"]
    await until(lambda: len(process.service.calls) == 2)
    process.service.gate.set()
    await process.quiet()
    assert await process.names("a", "b") == ["a 2", "b 2"]
    assert process.service.asked == [["a", "b"]] * 2
    assert process.counted.counts["refreshed.ok"] == 1
    assert "x-viewer" not in process.service.calls[1].headers


async def test_failed_refresh_keeps_the_old() -> None:
    """A refresh that fails changes nothing, and is not tried again at once."""
    process = Process(Service())
    await process.names("a")
    process.clock.now += 61
    process.service.fault = away()
    for _ in range(5):
        assert await process.names("a") == ["a 1"]
        await process.quiet()
    assert len(process.service.calls) == 2
    process.clock.now += 2
    process.service.fault = None
    process.service.version = 2
    await process.names("a")
    await process.quiet()
    assert await process.names("a") == ["a 2"]
    assert process.counted.counts["refreshed.failed"] == 1


async def test_refreshes_are_bounded() -> None:
    """However many keys are stale, so many calls at a time are made for them; what is not started
    stays stale."""
    process = Process(Service(), coalesce=False, refreshes=2)
    for key in "abcdef":
        await process.names(key)
    process.clock.now += 61
    process.service.gate.clear()
    for key in "abcdef":
        assert await process.names(key) == [f"{key} 1"]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(process.service.calls) == 6 + 2
    process.service.gate.set()
    await process.quiet()
    assert process.counted.counts["refreshed.not_started"] == 4


async def test_last_good_stands_in() -> None:
    """While its service fails, the last good answer is given as long as the service allows, told
    as stale with its age; then the error."""
    process = Process(Service())
    await process.names("a")
    process.service.fault = away()
    process.clock.now += 300
    loader = process.cards()
    assert await process.names("a", "b", loader=loader) == ["a 1", "UPSTREAM_UNAVAILABLE"]
    assert loader.caller.log.stale == {"accounts.cards": 300.0}
    assert loader.caller.log.stays is not None
    assert loader.caller.log.stays.max_age == 0.0
    process.clock.now += 361
    assert await process.names("a") == ["UPSTREAM_UNAVAILABLE"]


async def test_viewers_last_good_stands_in() -> None:
    """What is new every time is asked for every time; it stands in only for a failure."""
    service = Service(OWN)
    process = Process(service)
    service._body = lambda call, version: PROFILE  # type: ignore[method-assign]
    for _ in range(2):
        assert await process.names(ANN.account_id, loader=process.profile()) == ["Ann"]
    assert len(service.calls) == 2
    service.fault = away()
    process.clock.now += 10
    loader = process.profile()
    assert await process.names(ANN.account_id, loader=loader) == ["Ann"]
    assert loader.caller.log.stale == {"accounts.profile": 10.0}
    assert len(service.calls) == 3


async def test_viewer_is_never_asked_for_behind_his_back() -> None:
    """Past its max-age a viewer's answer is asked for by his own request, whatever was declared."""
    service = Service("private, max-age=60, stale-while-revalidate=600, stale-if-error=600")
    process = Process(service)
    service._body = lambda call, version: PROFILE  # type: ignore[method-assign]
    for seconds, calls in ((0, 1), (59, 1), (2, 2)):
        process.clock.now += seconds
        assert await process.names(ANN.account_id, loader=process.profile()) == ["Ann"]
        assert len(service.calls) == calls


async def test_stale_of_makes_no_call() -> None:
    """The last good answers are had without a call, with their ages; what is not kept, is absent
    or too old is None."""
    process = Process(Service())
    await process.names("a", "nobody")
    process.clock.now += 4
    loader = process.cards()
    known, absent, unknown = loader.stale_of(["a", "nobody", "b"])
    assert known is not None
    assert (known.record.display_name, known.age_s) == ("a 1", 4.0)
    assert (absent, unknown) == (None, None)
    assert loader.caller.log.stale == {"accounts.cards": 4.0}
    process.clock.now += 700
    assert process.cards().stale_of(["a"]) == [None]
    assert process.profile(None).stale_of([ANN.account_id]) == [None]
    assert len(process.service.calls) == 1


async def test_bad_keys_never_reach_the_cache() -> None:
    """An id no service would take is found nowhere, and costs its neighbours nothing."""
    process = Process(Service())
    for _ in range(2):
        assert await process.names("a", "b c") == ["a 1", None]
    assert process.service.asked == [["a"]]


async def test_absence_is_asked_again_soon() -> None:
    """That there is none is believed for moments only."""
    process = Process(Service())
    for _ in range(2):
        assert await process.names("nobody") == [None]
    assert len(process.service.calls) == 1
    process.clock.now += 6
    await process.names("nobody")
    assert len(process.service.calls) == 2


async def test_write_is_seen_at_once() -> None:
    """What a write makes old is asked for again by the next request, and a call that was under way
    before it is neither joined nor kept."""
    process = Process(Service())
    process.service.tags = "account"
    await process.names("a", "b")
    process.cache.outdated(["account:a"])
    process.service.version = 2
    process.service.gate.clear()
    under_way = asyncio.create_task(process.names("a", "b"))
    await until(lambda: len(process.service.calls) == 2)
    process.cache.outdated(["account:a"])
    process.clock.now += 1
    process.service.version = 3
    after = asyncio.create_task(process.names("a", "b"))
    await until(lambda: len(process.service.calls) == 3)
    process.service.gate.set()
    assert await under_way == ["a 2", "b 1"]
    assert await after == ["a 3", "b 1"]
    assert await process.names("a", "b") == ["a 3", "b 1"]
    assert process.service.asked == [["a", "b"], ["a"], ["a"]]


PROFILE = (
    b'{"id": "account-1", "handle": "ann", "display_name": "Ann", "bio": null, "email": "a@b.c", '
    b'"phone": null, "locale": "en", "avatar": null, "verified": false, "follower_count": 0, '
    b'"following_count": 0, "joined_at": "2026", "revision": 1, "updated_at": "2026", '
    b'"addresses": [], "devices": []}'
)
