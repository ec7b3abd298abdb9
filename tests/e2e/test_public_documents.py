"""Public documents through the project's own nginx, which keeps them, for two releases of which one
cannot decode all there is: each gets what is his, and what is everybody's comes from the cache."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from graphql import build_schema, parse, print_ast, visit

from bff import config as settings_module
from bff.commands.schema import sdl
from tests.compiler.builds import Crash, Decoder
from tests.e2e.test_decode_fence import ADDED_TYPES, _Before
from tests.e2e.test_registry import identity
from tests.harness.edge_proxy import DOMAIN, Edge, running_edge
from tests.harness.governed import Governance, within
from tests.harness.stack import Stack

TALK = """query Talk($id: ID!, $after: String) { content(id: $id) { __typename id
  comments(first: 3, after: $after) { __typename totalCount
    edges { __typename node { __typename text author { __typename displayName } } } } } }"""
PAGE = """query Page($id: ID!) { content(id: $id) { __typename
  item { __typename ... on Item { title } }
  related(first: 20) { __typename items { __typename ... on Item { title } } } } }"""
MINE = "query Mine($id: ID!) { content(id: $id) { __typename viewerState { __typename saved } } }"
DOCUMENTS = {"Talk": TALK, "Page": PAGE, "Mine": MINE}
OLD, NEW = "1.0.0+1", "2.0.0+2"
# The members and types that were added since a release was built.
BUILDS: dict[str, bool] = {OLD: True, NEW: False}
HOST = f"web.{DOMAIN}"
SNI = {"sni_hostname": HOST}
ACCEPTS = ("application/json", "application/graphql-response+json, application/json;q=0.9")


def before(release: str) -> str:
    """The schema a release was built from."""
    today = sdl(settings_module.load().platforms["web"])
    return print_ast(visit(parse(today), _Before(()))) if BUILDS[release] else today


@dataclass
class Cdn:
    """A gateway behind nginx; `collection` is the id of an item of a type that was added."""

    world: Governance
    edge: Edge
    collection: str
    client: httpx2.Client

    def get(
        self,
        name: str,
        release: str | None,
        *,
        method: str = "GET",
        query: str = "",
        **headers: str,
    ) -> httpx2.Response:
        """One request through nginx, for the item with the added type unless `query` says more."""
        told = {"accept": ACCEPTS[0], "host": HOST, **headers}
        if release is not None:
            told["apollographql-client-version"] = release
        query = query or "variables=" + quote(json.dumps({"id": self.collection}))
        url = f"{self.base}/documents/{identity(DOCUMENTS[name])}/{name}?{query}"
        return self.client.request(method, url, headers=told, extensions=SNI)

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.edge.port}"

    def origin(self, name: str, release: str) -> Any:
        """What the gateway itself answers that release."""
        url = f"{self.world.gateways['web'].url}/documents/{identity(DOCUMENTS[name])}/{name}"
        told = {"apollographql-client-version": release}
        answer = httpx2.get(
            url, params={"variables": json.dumps({"id": self.collection})}, headers=told
        )
        return answer.json()


@pytest.fixture(scope="module")
def cdn(stack: Stack, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cdn]:
    """Both schemas are on record before the first release is published."""
    folder = tmp_path_factory.mktemp("cdn")
    world = Governance(stack, folder, token, ("web",))
    for release in BUILDS:
        world.made("web").record(before(release))
    with world.running():
        for release in BUILDS:
            _publish(world, release)
        gateway = world.gateways["web"].url.removeprefix("http://")
        query = "select id from items where kind = 'collection' order by id limit 1 offset ?"
        with (
            running_edge(folder / "edge", {"web": [gateway]}) as edge,
            httpx2.Client(verify=edge.tls(), timeout=30, trust_env=False) as client,
        ):
            yield Cdn(world, edge, stack.query("content", query, "3"), client)


def _publish(world: Governance, release: str) -> None:
    manifest, built = world.folder / "manifest.json", world.folder / "schema.graphqls"
    manifest.write_text(json.dumps({identity(text): text for text in DOCUMENTS.values()}))
    built.write_text(before(release))
    version, _, build = release.partition("+")
    named = ("--version", version, "--build", build, "--schema", str(built), "--state", "live")
    world.write("publish", str(manifest), *named, platform="web")


def _decode(release: str, name: str, data: Any, variables: dict[str, Any]) -> None:
    Decoder(build_schema(before(release)), parse(DOCUMENTS[name]), variables).decode(data)


def test_everybodys_document_is_kept(cdn: Cdn, token: str) -> None:
    """What no release is sent otherwise is asked for once: whoever asks, of whatever release, with
    and without a token, gets that copy, which names no request and no viewer."""
    first = cdn.get("Talk", NEW, authorization=f"Bearer {token}")
    assert first.headers["x-cache"] == "MISS"
    assert first.headers["cache-control"] == (
        "public, max-age=5, stale-while-revalidate=30, stale-if-error=300"
    )
    assert not {"x-request-id", "set-cookie", "server-timing"} & set(first.headers)
    for release in (OLD, NEW, None):
        for more in ({}, {"authorization": f"Bearer {token}"}, {"cookie": "session=1"}):
            again = cdn.get("Talk", release, **more)
            assert again.headers["x-cache"] == "HIT"
            assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    for release in BUILDS:
        _decode(release, "Talk", first.json()["data"], {"id": cdn.collection})


def test_withheld_is_each_releases_own(cdn: Cdn) -> None:
    """What one release cannot decode is public for none: in whatever order they ask, each gets all
    it can decode and nothing it cannot, and nginx keeps none of it."""
    variables = {"id": cdn.collection}
    free = cdn.origin("Page", NEW)["data"]
    assert free["content"]["item"]["__typename"] in ADDED_TYPES
    with pytest.raises(Crash):
        _decode(OLD, "Page", free, variables)
    for release in (NEW, OLD, OLD, NEW, OLD):
        answer = cdn.get("Page", release)
        assert answer.headers["x-cache"] in ("MISS", "BYPASS", "EXPIRED")
        assert answer.headers["cache-control"] == "private, no-cache"
        data = answer.json()["data"]
        _decode(release, "Page", data, variables)
        if release == NEW:
            assert data == free
        else:
            assert data["content"]["item"] is None
            titles = [
                one["title"]
                for one in free["content"]["related"]["items"]
                if one["__typename"] not in ADDED_TYPES
            ]
            assert [one["title"] for one in data["content"]["related"]["items"]] == titles


def test_viewers_bytes_stay_his(cdn: Cdn, stack: Stack) -> None:
    """A document with a viewer's field is never kept, whoever asked first: each viewer has his own
    state, and nobody else has one."""
    saved = stack.query("content", "select account_id from saved where item_id = ?", _saved(stack))
    query = "variables=" + quote(json.dumps({"id": _saved(stack)}))
    tokens = {who: f"Bearer {stack.token(stack.handle(who))}" for who in (saved, "acc_00777")}
    for who in (saved, "acc_00777", saved):
        answer = cdn.get("Mine", NEW, query=query, authorization=tokens[who])
        assert answer.headers["x-cache"] != "HIT"
        assert "authorization" in answer.headers["vary"].lower()
        state = answer.json()["data"]["content"]["viewerState"]["saved"]
        assert state is (who == saved)
    nobody = cdn.get("Mine", NEW, query=query)
    assert nobody.headers["x-cache"] != "HIT"
    assert nobody.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def _saved(stack: Stack) -> str:
    return stack.query(
        "content", "select item_id from saved where account_id <> ? limit 1", "acc_00777"
    )


def test_known_copy_is_not_sent_again(cdn: Cdn) -> None:
    """304 from the copy for who has it, by nginx alone; the whole answer for who has another."""
    first = cdn.get("Talk", NEW)
    known = cdn.get("Talk", OLD, **{"if-none-match": first.headers["etag"]})
    assert (known.status_code, known.content, known.headers["x-cache"]) == (304, b"", "HIT")
    other = cdn.get("Talk", OLD, **{"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_head_and_forms_are_apart(cdn: Cdn) -> None:
    """HEAD has the head of the copy and no body; another media type, coding or order of the same
    parameters has its own copy of the same data."""
    query = "operationName=Talk&variables=" + quote(json.dumps({"id": cdn.collection}))
    turned = "&".join(reversed(query.split("&")))
    first = cdn.get("Talk", NEW, query=query)
    head = cdn.get("Talk", NEW, query=query, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == first.headers["etag"]
    for accept in ACCEPTS:
        for asked in (query, turned):
            for coding in ("identity", "gzip"):
                told = {"accept": accept, "accept-encoding": coding}
                for expected in ({"MISS", "HIT", "EXPIRED", "UPDATING", "STALE"}, {"HIT"}):
                    answer = cdn.get("Talk", NEW, query=asked, **told)
                    assert answer.headers["x-cache"] in expected
                    assert answer.json()["data"] == first.json()["data"]
                    assert answer.headers["content-type"].startswith(accept.split(",")[0])


def test_failures_are_not_kept(cdn: Cdn) -> None:
    """An answer with a field error, a refusal, and what one sends with POST are asked for every
    time."""
    bad = quote(json.dumps({"id": cdn.collection, "after": "no cursor"}))
    for _ in range(2):
        answer = cdn.get("Talk", NEW, query=f"variables={bad}")
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer.headers["x-cache"] != "HIT"
        refused = cdn.get("Talk", NEW, query="variables=%7B%7D")
        assert refused.headers["cache-control"] == "no-store"
        assert refused.headers["x-cache"] != "HIT"
        url = f"{cdn.base}/documents/nothing/Talk"
        unknown = cdn.client.get(url, headers={"host": HOST}, extensions=SNI)
        assert unknown.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_REGISTERED"
        assert unknown.headers["x-cache"] != "HIT"


@pytest.mark.verify
def test_origin_away_leaves_the_copy(cdn: Cdn) -> None:
    """With the gateway gone the copy is given past its age, as long as the services allow; what is
    a viewer's has no copy to give."""
    assert cdn.get("Talk", NEW).status_code == 200
    cdn.world._running.pop("web").close()
    assert cdn.get("Mine", NEW).status_code == 503, "the gateway is not gone"
    time.sleep(5.2)
    seen: list[str] = []

    def is_stale() -> bool:
        answer = cdn.get("Talk", OLD)
        assert answer.status_code == 200
        seen.append(answer.headers["x-cache"])
        return seen[-1] in ("STALE", "UPDATING")

    within(is_stale, f"never stale: {seen}")
