"""Builds that were generated from an older schema than the platform answers by, and that crash on
what they do not know, are never sent any of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLSchema, Visitor, build_schema, parse, print_ast, visit

from bff import config as settings_module
from bff.commands.schema import sdl
from tests.compiler.builds import Crash, Decoder
from tests.e2e.test_registry import identity
from tests.harness.governed import App, Governance, is_by_plan, within
from tests.harness.stack import Stack

# As generators write them: with the type of everything.
FEED = """query Feed { home { __typename feed(first: 50) { __typename entries { __typename reason
  item { __typename ... on Item { title } ... on Article { readingMinutes } } } } } }"""
ITEM = """query Item($id: ID!) { content(id: $id) { __typename
  item { __typename ... on Item { title } }
  related(first: 20) { __typename items { __typename ... on Item { title } } } } }"""
ADDED_TYPES = ("Collection", "CollectionDetail")
# Releases and the members that were added to FeedReason since they were built. The first was built
# before the enum had its fallback, NEW; the last from what is answered today.
BUILDS = {
    "7.3.9+900": ("NEW", "POPULAR"),
    "7.3.9+901": ("POPULAR",),
    "7.4.0+812": (),
}
FIRST, MIDDLE, NEWEST = BUILDS


class _Before(Visitor):
    """A schema before members were added to FeedReason, and two types to unions."""

    def __init__(self, members: tuple[str, ...]) -> None:
        super().__init__()
        self._members = members

    def leave_object_type_definition(self, node: Any, *_: Any) -> Any:
        return self.REMOVE if node.name.value in ADDED_TYPES else None

    def leave_named_type(self, node: Any, _key: Any, _parent: Any, path: Any, *_: Any) -> Any:
        return self.REMOVE if "types" in path and node.name.value in ADDED_TYPES else None

    def leave_enum_value_definition(self, node: Any, *_: Any) -> Any:
        return self.REMOVE if node.name.value in self._members else None


def before(members: tuple[str, ...]) -> str:
    """Today's schema, or the one before the union got its types and the enum these members."""
    today = sdl(settings_module.load().platforms["ios"])
    return print_ast(visit(parse(today), _Before(members))) if members else today


@dataclass
class Fenced:
    """A gateway, and the builds that ask it."""

    world: Governance
    collection: str

    def ask(self, release: str, text: str) -> dict[str, Any]:
        """What a build is answered, once by the plan of its fence class."""
        app = App("ios", release, {"Feed": identity(FEED), "Item": identity(ITEM)})
        found: dict[str, Any] = {}

        def is_settled() -> bool:
            nonlocal found
            name, variables = ("Feed", {}) if text is FEED else ("Item", {"id": self.collection})
            answer = self.world.ask(app, name, variables)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert "errors" not in found, found["errors"]
            return is_by_plan(found)

        within(is_settled)
        return found


@pytest.fixture(scope="module")
def fenced(stack: Stack, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fenced]:
    """Every schema is on record, the newest last, before the first build is published."""
    folder = tmp_path_factory.mktemp("fence")
    world = Governance(stack, folder, token, ("ios",))
    for members in BUILDS.values():
        world.made().record(before(members))
    with world.running():
        for release, members in BUILDS.items():
            _publish(world, release, before(members))
        query = "select id from items where kind = 'collection' order by id limit 1 offset ?"
        yield Fenced(world, stack.query("content", query, "3"))


def _publish(world: Governance, release: str, schema: str) -> None:
    manifest, built = world.folder / "manifest.json", world.folder / "schema.graphqls"
    manifest.write_text(json.dumps({identity(text): text for text in (FEED, ITEM)}))
    built.write_text(schema)
    version, _, build = release.partition("+")
    named = ("--version", version, "--build", build, "--schema", str(built), "--state", "live")
    world.write("publish", str(manifest), *named)


def decode(release: str, text: str, answer: dict[str, Any], variables: dict[str, Any]) -> None:
    """As the app's generated code does. Raises Crash."""
    Decoder(_built(release), parse(text), variables).decode(answer["data"])


def _built(release: str) -> GraphQLSchema:
    return build_schema(before(BUILDS[release]))


def _feed_for(release: str, data: dict[str, Any], counts: Counter[str]) -> None:
    """Entries of unknown types go; an unknown reason is the fallback, or takes its entry along."""
    unknown = BUILDS[release]
    kept = []
    for entry in data["home"]["feed"]["entries"]:
        if entry["item"]["__typename"] in ADDED_TYPES:
            counts["dropped"] += 1
            continue
        if entry["reason"] in unknown:
            if "NEW" in unknown:
                counts["dropped"] += 1
                continue
            counts["replaced"] += 1
            entry["reason"] = "NEW"
        kept.append(entry)
    data["home"]["feed"]["entries"] = kept


def _item_for(release: str, data: dict[str, Any], counts: Counter[str]) -> None:
    """A nullable place of an unknown type is null; a list goes without them."""
    screen = data["content"]
    if screen["item"]["__typename"] in ADDED_TYPES:
        counts["nulled"] += 1
        screen["item"] = None
    items = screen["related"]["items"]
    screen["related"]["items"] = [one for one in items if one["__typename"] not in ADDED_TYPES]
    counts["dropped"] += len(items) - len(screen["related"]["items"])


Rule = Callable[[str, dict[str, Any], "Counter[str]"], None]


@pytest.mark.parametrize("release", [FIRST, MIDDLE])
@pytest.mark.parametrize(("text", "rule"), [(FEED, _feed_for), (ITEM, _item_for)])
def test_older_build_never_crashes(fenced: Fenced, release: str, text: str, rule: Rule) -> None:
    """An answer for a new build would crash an older one; what the older one gets is that answer
    without what it does not know, and nothing else is missing. How much was withheld is told."""
    variables = {"id": fenced.collection} if text is ITEM else {}
    free = fenced.ask(NEWEST, text)
    decode(NEWEST, text, free, variables)
    with pytest.raises(Crash):
        decode(release, text, free, variables)
    assert "fence" not in free["extensions"]

    found = fenced.ask(release, text)
    decode(release, text, found, variables)
    counts: Counter[str] = Counter(replaced=0, nulled=0, dropped=0)
    rule(release, free["data"], counts)
    assert found["data"] == free["data"]
    assert found["extensions"]["fence"] == counts
    assert counts.total() > 0


def test_every_way_of_withholding_is_met(fenced: Fenced) -> None:
    """The seed data has what makes these tests worth anything: both new reasons, the new type in a
    feed, in a nullable place and among items that are kept."""
    entries = fenced.ask(NEWEST, FEED)["data"]["home"]["feed"]["entries"]
    assert {one["reason"] for one in entries} >= {"NEW", "POPULAR"}
    assert "Collection" in {one["item"]["__typename"] for one in entries}
    screen = fenced.ask(NEWEST, ITEM)["data"]["content"]
    assert screen["item"]["__typename"] == "CollectionDetail"
    assert len(fenced.ask(FIRST, FEED)["data"]["home"]["feed"]["entries"]) > 0


@pytest.mark.parametrize(
    ("release", "like"), [("7.3.9+950", MIDDLE), ("7.3.9", FIRST), ("7.5.0+1", NEWEST)]
)
def test_builds_nobody_published_are_fenced(fenced: Fenced, release: str, like: str) -> None:
    """A build that was not published gets what the newest older release may get; one that does not
    say its number, what every build of its version can decode."""
    for text in (FEED, ITEM):
        found, known = fenced.ask(release, text), fenced.ask(like, text)
        assert found["data"] == known["data"]
        assert found["extensions"].get("fence") == known["extensions"].get("fence")
