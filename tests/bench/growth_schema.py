"""A schema for `growth.py` alone: nodes in a list of any length, and nodes behind nodes.

The gateway loads `schema` from here by its settings, as it would any platform's.
"""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from bff.context import Info
from bff.contract import Scope, Screen, batch_field, record
from bff.loaders.base import Loader
from bff.upstreams.method import Answer, Method, Record

SERVICE = "content"


class NodeRecord(Record, frozen=True):
    id: str
    title: str
    text: str
    count: int
    ratio: float
    flag: bool
    next_id: str
    owner_id: str


class NodesAnswer(Answer, frozen=True):
    nodes: list[NodeRecord]


class NodePageRecord(Record, frozen=True):
    nodes: list[NodeRecord]


PAGE = Method(SERVICE, "bench_page", "GET", "/v1/bench/nodes", Scope.SHARED, NodePageRecord)
NODES = Method(SERVICE, "bench_nodes", "POST", "/v1/bench/nodes/batch", Scope.SHARED, NodesAnswer)


class NodePageByFirstLoader(Loader[int, NodePageRecord]):
    method = PAGE

    async def fetch(self, keys: Sequence[int]) -> list[NodePageRecord]:
        return [await self.caller.call(PAGE, query={"first": key}) for key in keys]


class NodeByIdLoader(Loader[str, NodeRecord]):
    method = NODES

    async def fetch(self, keys: Sequence[str]) -> list[NodeRecord | None]:
        answer = await self.caller.call(NODES, body={"ids": keys}, keys=len(keys))
        found = {node.id: node for node in answer.nodes}
        return [found.get(key) for key in keys]


@strawberry.type
@record(NodeRecord)
class Node:
    id: strawberry.ID
    title: str
    text: str
    count: int
    ratio: float
    flag: bool
    owner: Node | None = batch_field(NodeByIdLoader, "owner_id")
    next: Node | None = batch_field(NodeByIdLoader, "next_id")


@strawberry.type
@record(NodePageRecord)
class NodePage:
    nodes: list[Node]


def _page_key(root: object, info: Info, first: int = 10) -> int:
    return first


@strawberry.type
class Grown:
    page: NodePage | None = batch_field(NodePageByFirstLoader, _page_key)


@strawberry.type
class Query:
    grown: Grown = strawberry.field(resolver=lambda: Grown(), directives=[Screen()])


schema = strawberry.Schema(Query)
