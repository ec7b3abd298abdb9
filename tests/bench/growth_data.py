"""Nodes by number, their documents, and what those must answer; every figure is made up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWNERS = 50
NEXT = 10_000
"""So much higher is the number of the node behind a node."""

ITEMS = (10, 100, 1_000)
LEVELS = (1, 2, 3, 4, 5, 6)
DOCUMENTS = (1, 100, 2_000)
WIDTH = 10
SCALARS = ("id", "title", "text", "count", "ratio", "flag")

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One registered document, asked with `variables`, and the data it must answer."""

    name: str
    text: str
    variables: Json
    data: Json

    @property
    def id(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def node(number: int) -> Json:
    """A node as its service tells it."""
    return {
        "id": f"n_{number}",
        "title": f"Node number {number}, one of many",
        "text": "A sentence as long as those that cards in a feed usually show to a reader.",
        "count": number * 7,
        "ratio": (number % 100) / 8,
        "flag": number % 3 == 0,
        "next_id": f"n_{number + NEXT}",
        "owner_id": f"n_{number % OWNERS}",
    }


def items(size: int) -> Case:
    """A list of so many nodes, six fields each and an owner; two calls whatever the size."""
    selection = f"{' '.join(SCALARS)} owner {{ id title }}"
    shown = [
        {**_pick(number, *SCALARS), "owner": _pick(number % OWNERS, "id", "title")}
        for number in range(size)
    ]
    return _case("Items($first: Int!)", "first: $first", selection, shown, {"first": size})


def levels(depth: int) -> Case:
    """Ten nodes, each with a chain behind it: `depth` calls, one after another."""
    selection = "id title"
    for _ in range(depth - 1):
        selection = f"id title next {{ {selection} }}"
    shown = [_chain(number, depth) for number in range(WIDTH)]
    return _case(f"Levels{depth}", f"first: {WIDTH}", selection, shown)


def documents(count: int) -> list[Case]:
    """So many documents that differ in one alias."""
    return [_document(number) for number in range(count)]


def _document(number: int) -> Case:
    alias = f"text{number}"
    shown = [{**_pick(one, "id", "title"), alias: node(one)["text"]} for one in range(WIDTH)]
    return _case(f"Document{number}", f"first: {WIDTH}", f"id title {alias}: text", shown)


def _case(
    head: str, arguments: str, selection: str, nodes: list[Json], variables: Json | None = None
) -> Case:
    text = f"query {head} {{ grown {{ page({arguments}) {{ nodes {{ {selection} }} }} }} }}"
    data = {"grown": {"page": {"nodes": nodes}}}
    return Case(head.partition("(")[0], text, variables or {}, data)


def _chain(number: int, depth: int) -> Json:
    found = _pick(number, "id", "title")
    if depth > 1:
        found["next"] = _chain(number + NEXT, depth - 1)
    return found


def _pick(number: int, *names: str) -> Json:
    whole = node(number)
    return {name: whole[name] for name in names}


def write_release(folder: Path, cases: list[Case]) -> Path:
    """A folder of releases with one, which registers these cases' documents."""
    unique = {case.id: case for case in cases}
    operations = [
        {"id": id_, "name": case.name, "type": "query", "body": case.text}
        for id_, case in unique.items()
    ]
    manifest = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": operations,
    }
    release = folder / "1.0.0+1"
    release.mkdir(parents=True)
    (release / "manifest.json").write_text(json.dumps(manifest))
    return folder
