"""The life of two iOS versions and one Android version, from their publishing to the end of the
older one; after each step, what every app sees of its home screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx2
import pytest

from bff import config as settings_module
from bff.commands.schema import sdl
from bff.config import PROJECT
from persisted_queries.model import Brownout, SetGate
from persisted_queries.pack import pack, read_documents
from persisted_queries.usage import read_usage
from persisted_queries.usage_view import ReleaseUsage
from tests.harness.governed import App, Done, Governance, is_by_plan, within
from tests.harness.schemas import Edit, changed_package
from tests.harness.stack import Stack

OLD, REVIEWED, NEW = "7.3.0+801", "7.4.0+812", "7.4.0+813"
DROID = "6.9.0+2310"
TODAY = datetime.now(UTC).date()
FIELD_ENDS, RELEASE_ENDS = TODAY + timedelta(days=90), TODAY + timedelta(days=60)
DAY = timedelta(days=1)
IOS = ("--platform", "ios")
STORE = "https://apps.example/facet"
# An account nobody else looks at: it is signed out.
WRITER = "acc_01004"
OLD_PHONES, NEW_PHONES = 4, 6

# `HomeScreen.inbox` is to be called `badge`: at once, or with both for a while.
INBOX = """    inbox: InboxHead | None = batch_field(
        InboxHeadByFirstLoader,
        _head_key,
        description="At most 10; none for the badge alone.",
        directives=[Section(budget_ms=1_000)],
    )
"""
BADGE = INBOX.replace(" inbox:", " badge:")
ENDING = INBOX.replace(
    "directives=[",
    'deprecation_reason="Ask for badge.",\n        '
    f'directives=[Sunset(after="{FIELD_ENDS}", releases_below="7.4.0"), ',
)
IMPORT = "from bff.contract import "
RENAMED = (Edit("home.py", INBOX, BADGE),)
BOTH = (
    Edit("home.py", INBOX, BADGE + ENDING),
    Edit("home.py", IMPORT, f"{IMPORT}Sunset, "),
)


class View(NamedTuple):
    """A home screen as an app gets it. `inbox` is told of whatever name the build asks for it by;
    `sunset` is the day of the header."""

    code: str | None = None
    data: Literal["whole", "no inbox", "none"] = "whole"
    client: str | None = None
    deprecated: bool = False
    sunset: date | None = None


FINE = View()


@dataclass
class Life:
    """What the steps share: the builds and what they see, the folder of the iOS app, and its other
    schemas. `unpublished` is a developer's build of the new version that still asks as the old."""

    world: Governance
    old: App
    unpublished: App
    reviewed: App
    new: App
    droid: App
    folder: Path
    renamed: str
    both: str

    def expect(self, **apps: View) -> None:
        """The apps named see this, and all at once: each is waited for, and none has changed when
        the last has come."""
        wanted = [(getattr(self, name), view) for name, view in apps.items()]
        for app, view in wanted:
            self._await(app, view)
        for app, view in wanted:
            assert self.see(app)[0] == view, app.release

    def see(self, app: App, device: str | None = None) -> tuple[View, httpx2.Response]:
        answer = self.world.ask(app, "Home", device=device)
        return _view(answer), answer

    def _await(self, app: App, view: View) -> None:
        seen: list[View] = []

        def is_seen() -> bool:
            found, answer = self.see(app)
            seen[:] = [found]
            return found == view and is_by_plan(answer.json())

        try:
            within(is_seen)
        except AssertionError:
            raise AssertionError(f"{app.release} sees {seen}, not {view}") from None

    def state(self, release: str, platform: str = "ios") -> str:
        return self.world.made(platform).reader().state.releases[release].state

    def release(self, app: App, verb: str, *words: str) -> None:
        """`bff release VERB VERSION+BUILD …`"""
        self.world.write("release", verb, app.release, *words, platform=app.platform)

    def gate(self, *words: str) -> None:
        self.world.write("release", "gate", *words)

    def check(self, schema: str) -> Done:
        done = self.world.bff("check", "ios", "--format", "json", schema=schema)
        assert done.out, done.err  # what breaks off ends with 1, as what is refused does
        return done

    def used(self, release: str) -> ReleaseUsage:
        return read_usage(self.world.made().store, "ios", 30, wait=False).release(release)

    def phones(self, app: App, count: int) -> None:
        """That many devices open this build, each once."""
        for number in range(count):
            assert self.see(app, f"{app.release.partition('+')[2]}-{number}")[0].data == "whole"


def _view(answer: httpx2.Response) -> View:
    """Of any answer; a refusal is never kept by anybody, and always readable by iOS."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/graphql-response+json")
    body = answer.json()
    errors = body.get("errors", [{"extensions": {"code": None}}])
    client = body.get("extensions", {}).get("client")
    told = answer.headers.get("sunset")
    view = View(
        errors[0]["extensions"]["code"],
        _data(body.get("data")),
        client and client["status"],
        "deprecation" in answer.headers,
        parsedate_to_datetime(told).date() if told is not None else None,
    )
    if view.data == "none":
        assert answer.headers["cache-control"] == "no-store"
    return view


def _data(data: Any) -> Any:
    if data is None:
        return "none"
    home = data["home"]
    feed = home["feed"]
    assert len(feed.get("entries", feed.get("items", feed.get("edges")))) >= 10
    assert home["viewer"]["displayName"] == "Demo Reader"
    return "whole" if home.get("inbox") or home.get("badge") else "no inbox"


def _packed(folder: Path, inside: str) -> Path:
    """The manifest of an iOS build whose home screen asks for the badge by its new name."""
    operations = folder / "operations"
    shutil.copytree(PROJECT / "persisted_queries" / "ios" / "operations", operations)
    home = operations / "Home.graphql"
    text = home.read_text("utf-8").replace(
        "inbox(first: $latest) {", f"badge(first: $latest) {{{inside}"
    )
    assert "badge" in text
    home.write_text(text, "utf-8")
    manifest = folder / "manifest.json"
    manifest.write_text(pack(read_documents(operations), "apollo-ios"), "utf-8")
    return manifest


@pytest.fixture
def life(stack: Stack, token: str, tmp_path: Path) -> Iterable[Life]:
    seeds = PROJECT / "persisted_queries"
    world = Governance(stack, tmp_path, token)
    old = App.of("ios", OLD, seeds / "ios" / "releases" / OLD / "manifest.json")
    found = Life(
        world,
        old,
        App("ios", "7.4.0+1", old.ids),
        App.of("ios", REVIEWED, _packed(tmp_path / "812", " updatedAt")),
        App.of("ios", NEW, _packed(tmp_path / "813", "")),
        App.of("android", DROID, seeds / "android" / "releases" / DROID / "manifest.json"),
        tmp_path,
        changed_package(tmp_path, "renamed_home", *RENAMED),
        changed_package(tmp_path, "both_homes", *BOTH),
    )
    with world.running():
        yield found


# About forty commands and restarts: on a busy machine they take their time.
@pytest.mark.timeout(300)
def test_release_life(life: Life) -> None:
    """Two versions of the iOS app and one of Android's live through all that can become of a
    release; the new app never notices what is meant for the old one, and Android nothing at all."""
    first_versions_go_live(life)
    rename_is_refused(life)
    both_names_pass(life)
    rejected_build_is_sent_again(life)
    new_version_rolls_out(life)
    use_of_the_old_name_falls(life)
    old_version_is_to_end(life)
    brownouts_end(life)
    gate_hints_then_forces(life)
    old_version_is_blocked(life)
    old_version_is_retired(life)


def _published(life: Life, app: App, state: str) -> None:
    """A first version, and its platform's schema, as they are."""
    platform = app.platform
    seeds = PROJECT / "persisted_queries" / platform / "releases" / app.release
    schema = life.folder / f"{platform}.graphqls"
    schema.write_text(sdl(settings_module.load().platforms[platform]), "utf-8")
    version, _, build = app.release.partition("+")
    named = ("--version", version, "--build", build, "--schema", str(schema), "--state", state)
    life.world.write("publish", str(seeds / "manifest.json"), *named, platform=platform)
    assert life.state(app.release, platform) == state


def first_versions_go_live(life: Life) -> None:
    """Nobody is answered before it is published; from its draft on every build is, whatever its
    state: a reviewer has it before its users do. No gateway is restarted for any of it."""
    nobody = View("DOCUMENT_NOT_REGISTERED", "none")
    life.expect(old=nobody, droid=nobody)
    both = (life.old, life.droid)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_published, life), both, ("draft", "in_review")))
        life.expect(old=FINE, droid=FINE)
        life.release(life.old, "promote", "--to", "in_review")
        assert life.state(OLD) == "in_review"
        for percent, state in (("10", "rolling_out"), ("100", "live")):
            list(pool.map(life.release, both, repeat("rollout"), repeat(percent)))
            assert (life.state(OLD), life.state(DROID, "android")) == (state, state)
            life.expect(old=FINE, droid=FINE)


def rename_is_refused(life: Life) -> None:
    """The check names release, document, share and last use, and that no waiting helps while the
    release is live. Nothing was changed by asking."""
    life.phones(life.old, OLD_PHONES)
    life.world.until_flushed()
    done = life.check(life.renamed)
    assert done.code == 1, done.out + done.err
    (platform,) = done.json["platforms"]
    assert (platform["allowed"], platform["earliest"]) == (False, None)
    (release,) = platform["releases"]
    assert (release["release"], release["why"]) == (OLD, "is live")
    assert (release["share"], release["devices"]) == (1.0, OLD_PHONES)
    assert datetime.fromisoformat(release["last_seen"]).date() in (TODAY, TODAY + DAY)
    assert "bff release sunset 7.3.0+801 --platform ios" in release["way_out"]
    assert [one["operation"] for one in release["documents"]] == ["Home"]
    (found,) = release["documents"][0]["findings"]
    assert (found["coordinate"], found["verdict"]) == ("HomeScreen.inbox", "BREAKING")
    life.expect(old=FINE)


def both_names_pass(life: Life) -> None:
    """With both fields the change passes and is recorded; deployed, it tells the old app from when
    on the old name may go, and nobody of the version from which on it is not to be asked for."""
    done = life.check(life.both)
    assert done.code == 0, done.out + done.err
    told = ("schema", "record", "ios", "--key", str(life.world.key("ios")), "--format", "json")
    done = life.world.bff(*told, schema=life.both)
    assert done.code == 0, done.out + done.err
    life.world.restart("ios", life.both)
    assert len(life.world.made().reader().state.schemas) == 2
    life.expect(old=warned(), unpublished=FINE, droid=FINE)
    (told_of,) = life.see(life.old)[1].json()["extensions"]["deprecations"]
    assert told_of == {
        "field": "HomeScreen.inbox",
        "after": FIELD_ENDS.isoformat(),
        "reason": "Ask for badge.",
    }


def warned(**others: Any) -> View:
    """What the old app sees once the name it asks by is to end."""
    return View(**{"deprecated": True, "sunset": FIELD_ENDS, **others})


def _publish(life: Life, app: App, *words: str) -> Done:
    version, _, build = app.release.partition("+")
    manifest = life.folder / build / "manifest.json"
    named = (*IOS, "--version", version, "--build", build)
    told = ("--key", str(life.world.key("ios")), "--state", "in_review", "--format", "json")
    return life.world.bff("publish", str(manifest), *named, *told, *words)


def rejected_build_is_sent_again(life: Life) -> None:
    """A build the store rejects is retired, and the next one of the same version is published: each
    is answered its own documents while it is there, the rejected one nothing from then on."""
    newest = life.world.made().reader()
    schema = newest.state.schemas[-1].schema
    file = life.folder / "schema.graphqls"
    file.write_text(newest.schema(schema), "utf-8")
    life.expect(reviewed=View("RELEASE_UNKNOWN", "none"))
    assert _publish(life, life.reviewed, "--schema", str(file)).code == 0
    life.expect(reviewed=FINE, new=View("RELEASE_UNKNOWN", "none"), old=warned())
    life.release(life.reviewed, "promote", "--to", "draft", "--reason", "rejected")
    life.expect(reviewed=FINE)
    life.release(life.reviewed, "retire")
    assert _publish(life, life.new, "--schema", schema).code == 0
    life.expect(reviewed=View("RELEASE_RETIRED", "none"), new=FINE, old=warned(), droid=FINE)
    foreign = App("ios", NEW, life.reviewed.ids)
    assert life.see(foreign)[0] == View("DOCUMENT_NOT_IN_RELEASE", "none")
    nameless = App("ios", "7.4.0", life.new.ids)
    assert life.see(nameless)[0] == FINE


def new_version_rolls_out(life: Life) -> None:
    """A minimum nobody can reach yet forces nobody: at 10 % the old app is told of an upgrade, and
    goes on. Live, the new version is everybody's."""
    life.release(life.new, "rollout", "10")
    assert life.state(NEW) == "rolling_out"
    life.world.made().write(SetGate(minimum="7.4.0", store_url=STORE))
    life.expect(old=warned(client="SOFT_UPGRADE"), new=FINE._replace(client="OK"))
    life.world.made().write(SetGate())
    life.expect(old=warned(), new=FINE)
    life.release(life.new, "rollout", "100")
    life.expect(new=FINE, old=warned(), reviewed=View("RELEASE_RETIRED", "none"))
    assert (life.state(NEW), life.state(OLD)) == ("live", "live")


def use_of_the_old_name_falls(life: Life) -> None:
    """Once only the new app asks, who reads the old name by release and share shows it."""
    life.world.until_flushed()
    before = life.used(OLD)
    life.phones(life.new, NEW_PHONES)
    life.world.until_flushed()
    done = life.world.bff("usage", "field", "HomeScreen.inbox", *IOS, "--format", "json")
    assert done.code == 0, done.err
    (reader,) = done.json["readers"]
    assert (reader["release"], reader["operations"]) == (OLD, ["Home"])
    assert reader["share"] == pytest.approx(OLD_PHONES / (OLD_PHONES + NEW_PHONES))
    assert reader["requests"] == before.requests - before.errors > 0
    assert datetime.fromisoformat(reader["last_seen"]) == before.last_seen
    assert life.used(NEW).devices == NEW_PHONES


def old_version_is_to_end(life: Life) -> None:
    """In sunset the old app, and no other, is told the day of its own end, which is sooner; the
    check tells the day from which the old name may go."""
    life.release(life.old, "sunset", "--on", RELEASE_ENDS.isoformat())
    life.expect(old=warned(sunset=RELEASE_ENDS), new=FINE, droid=FINE)
    done = life.check(life.renamed)
    assert done.code == 1, done.out + done.err
    (platform,) = done.json["platforms"]
    (release,) = platform["releases"]
    assert (release["release"], release["sunset"]) == (OLD, RELEASE_ENDS.isoformat())
    assert release["why"] == f"is supported until {RELEASE_ENDS}"
    assert release["earliest"] == (RELEASE_ENDS + DAY).isoformat()
    (refusal,) = platform["refusals"]
    assert refusal["coordinate"] == "HomeScreen.inbox"
    assert refusal["earliest"] == platform["earliest"] == (FIELD_ENDS + DAY).isoformat()


def brownouts_end(life: Life) -> None:
    """In a brown-out the old app, and no other, gets the rest of its screen and FIELD_SUNSET; the
    field is back when it is over, and not before."""
    fine, out = (
        warned(sunset=RELEASE_ENDS),
        warned(sunset=RELEASE_ENDS, code="FIELD_SUNSET", data="no inbox"),
    )
    begins = datetime.now(UTC) - DAY
    window = ("--from", begins.isoformat(), "--to", (begins + 2 * DAY).isoformat())
    life.world.write("release", "brownout", "--field", "HomeScreen.inbox", *window)
    life.expect(old=out, unpublished=FINE, new=FINE, droid=FINE)
    (error,) = life.see(life.old)[1].json()["errors"]
    assert error["path"] == ["home", "inbox"]
    ends = datetime.now(UTC) + timedelta(seconds=2)
    life.world.made().write(Brownout("HomeScreen.inbox", begins, ends))
    within(lambda: life.see(life.old)[0] == fine)
    assert datetime.now(UTC) >= ends
    life.expect(old=fine, new=FINE, droid=FINE)


def gate_hints_then_forces(life: Life) -> None:
    """Below the recommended version an app is hinted at the store and works; below the minimum its
    data operations are refused, and what must work does: to save what waited, and to sign out."""
    told = ("--store-url", STORE, "--message", "There is a better one.")
    life.gate("--recommended", "7.4.0", *told)
    fine = FINE._replace(client="OK")
    life.expect(old=warned(sunset=RELEASE_ENDS, client="SOFT_UPGRADE"), new=fine, droid=FINE)
    life.gate("--minimum", "7.4.0")
    forced = View("CLIENT_UPGRADE_REQUIRED", "none", "FORCE_UPGRADE")
    life.expect(old=forced, new=fine, droid=FINE)
    assert life.see(life.old)[1].json()["extensions"]["client"] == {
        "status": "FORCE_UPGRADE",
        "storeUrl": STORE,
        "message": "There is a better one.",
    }
    _always_allowed(life)


def _always_allowed(life: Life) -> None:
    """A write that waited in the old app, and its sign-out; any other write is refused."""
    token = life.world.stack.token(life.world.stack.handle(WRITER))
    saved = life.world.mutate(life.old, "SaveItem", token, itemId="itm_00100").json()
    assert saved["data"]["saveItem"]["saved"] is True, saved
    edited = life.world.mutate(life.old, "EditProfile", token, bio="x").json()
    assert edited["data"] is None, edited
    out = life.world.mutate(life.old, "SignOut", token).json()
    assert out["data"]["signOut"]["state"], out


def old_version_is_blocked(life: Life) -> None:
    """A blocked build is refused whatever the gate says, but for what must work."""
    life.release(life.old, "block", "--reason", "loses drafts")
    fine = FINE._replace(client="OK")
    life.expect(old=View("CLIENT_BLOCKED", "none", "BLOCKED"), new=fine, droid=FINE)
    _always_allowed(life)


def old_version_is_retired(life: Life) -> None:
    """A retired build may still sign out; what it alone read is held by its announced date only."""
    life.release(life.old, "retire")
    fine = FINE._replace(client="OK")
    life.expect(old=View("RELEASE_RETIRED", "none", "BLOCKED"), new=fine, droid=FINE)
    _always_allowed(life)
    assert listed(life) == {OLD: "retired", REVIEWED: "retired", NEW: "live"}
    done = life.check(life.renamed)
    assert done.code == 1, done.out + done.err
    (platform,) = done.json["platforms"]
    assert (platform["releases"], platform["earliest"]) == ([], (FIELD_ENDS + DAY).isoformat())


def listed(life: Life) -> dict[str, str]:
    """`bff release list`: every release and its state."""
    done = life.world.bff("release", "list", *IOS, "--format", "json")
    assert done.code == 0, done.err
    return {one["name"]: one["state"] for one in done.json["releases"]}
