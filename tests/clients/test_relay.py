"""Relay's compiler and runtime against the web gateway under the registered policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.builds import WebBuilds, committed_relay_map, compile_relay_release
from tests.clients.node import Node
from tests.clients.recorded import counted_releases
from tests.clients.seen import Seen, differences

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def relay(node: Node, web_settings: dict[str, str]) -> dict[str, Any]:
    """The results of the script, by scenario."""
    results: dict[str, Any] = node.run_script("relay.mjs", **web_settings)
    return results


def compiled(builds: WebBuilds) -> dict[str, str]:
    found: dict[str, str] = json.loads(builds.relay_map.read_bytes())
    return found


def assert_whole(seen: Seen) -> None:
    """Every value the components read is the answer's, and no error came along."""
    assert seen.delivered["thrown"] is None
    assert "errors" not in seen.only.answer
    assert list(differences(seen.delivered["data"], seen.only.answer["data"])) == []


def test_committed_map_is_the_compilers(node: Node, tmp_path: Path) -> None:
    """Compiling the committed Relay release again from its source gives its map: every id, every
    text, byte for byte."""
    compiled_again = compile_relay_release(node, tmp_path)
    assert json.loads(compiled_again.read_bytes()) == json.loads(committed_relay_map().read_bytes())
    assert compiled_again.read_bytes() == committed_relay_map().read_bytes()


def test_compiled_ids_are_sent_alone(relay: dict[str, Any], web_builds: WebBuilds) -> None:
    """The runtime sends the id the compiler wrote into its map, and nothing of the text."""
    texts = compiled(web_builds)
    for name, result in relay["everyQuery"].items():
        sent = Seen(result).only.sent
        assert sorted(sent) == ["id", "variables"]
        assert texts[sent["id"]].startswith(f"query {name}(")


@pytest.mark.parametrize("name", ["Home", "Profile", "Inbox", "Content", "PublicContent"])
def test_compiled_id_is_answered_whole(relay: dict[str, Any], name: str) -> None:
    """Every screen arrives in Relay's store, where all its fragments read what was answered."""
    seen = Seen(relay["everyQuery"][name])
    assert seen.lines == [("POST", 200)]
    assert_whole(seen)
    (screen,) = seen.delivered["data"].values()
    assert all(section is not None for section in screen.values())


@pytest.mark.parametrize("position", ["id", "doc_id", "documentId", "prefixed"])
def test_id_is_found_in_each_position(relay: dict[str, Any], position: str) -> None:
    """Wherever a Relay app's network layer writes the id, the same screen is answered."""
    seen = Seen(relay["positions"][position])
    assert seen.lines == [("POST", 200)]
    assert_whole(seen)
    assert len(seen.delivered["data"]["home"]["feed"]["edges"]) == 2


def test_connection_loads_the_next_page(relay: dict[str, Any], web_builds: WebBuilds) -> None:
    """The compiler's own page query, sent with the cursor of the first page, adds the next items
    behind the first ones, none twice."""
    pages = relay["pages"]
    first, second = Seen(pages["first"]).only, Seen(pages["second"]).only
    assert compiled(web_builds)[second.sent["id"]].startswith("query HomeFeedPageQuery(")
    end = first.answer["data"]["home"]["feed"]["pageInfo"]
    assert end["hasNextPage"] is True
    assert second.sent["variables"] == {"count": pages["count"], "cursor": end["endCursor"]}
    before, after = (
        [edge["node"]["id"] for edge in pages[when]["edges"]] for when in ("before", "after")
    )
    assert len(before) == pages["count"]
    assert len(set(after)) == len(after) == 2 * pages["count"]
    assert after[: len(before)] == before
    answered = [edge["node"]["id"] for edge in second.answer["data"]["home"]["feed"]["edges"]]
    assert after[len(before) :] == answered


def test_mutation_updates_the_store(relay: dict[str, Any]) -> None:
    """A mutation by id is written to the store and read from there."""
    seen = Seen(relay["saved"])
    assert seen.lines == [("POST", 200)]
    assert seen.delivered["errors"] is None
    assert_whole(seen)
    assert seen.delivered["data"]["saveItem"]["state"] == "SAVED"


def test_partial_data_reaches_components(relay: dict[str, Any]) -> None:
    """Signed out, the public part of the screen is in the store and the viewer's part is null."""
    seen = Seen(relay["partial"])
    assert seen.lines == [("POST", 200)]
    assert seen.only.codes == ["UNAUTHENTICATED"]
    assert seen.delivered["thrown"] is None
    content = seen.delivered["data"]["content"]
    assert content["viewerState"] is None
    assert content["item"]["title"]
    assert list(differences(seen.delivered["data"], seen.only.answer["data"])) == []


def test_unregistered_id_is_refused_once(relay: dict[str, Any]) -> None:
    """An id no release declared is thrown with its code; nothing is sent again."""
    seen = Seen(relay["unknownId"])
    assert seen.lines == [("POST", 200)]
    assert seen.delivered["data"] is None
    codes = [error["extensions"]["code"] for error in seen.delivered["thrown"]["errors"]]
    assert codes == ["DOCUMENT_NOT_REGISTERED"]


def test_release_is_told_by_neutral_headers(
    relay: dict[str, Any], web_settings: dict[str, str], web_builds: WebBuilds
) -> None:
    """`graphql-client-version` tells the release of an app that uses no Apollo library."""
    sent = Seen(relay["everyQuery"]["Home"]).only.headers
    assert sent["graphql-client-version"] == web_builds.relay_release
    assert web_builds.relay_release in counted_releases(web_settings["REGISTERED_URL"])


def test_runtime_finds_nothing_to_complain(relay: dict[str, Any]) -> None:
    """Relay's consistency checks, which only log, found no fault in any answer of the run."""
    assert relay["warnings"] == []
