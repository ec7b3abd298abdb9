"""Promises of bff/documents/trees.py: bounded, and nobody can tell that a tree was gone."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from graphql import execute, print_ast

from bff.documents.model import Operation
from bff.documents.trees import Trees

from .samples import HOME, ITEM, SCHEMA, preparer, trees

WRONG = '# é\nquery Wrong {\n  item(id: "\U0001f600") { id\n title } }'


def prepared(text: str, held: Trees) -> Operation:
    (one,) = preparer().registered(text, "a1", held).operations.values()
    return one


def answered(one: Operation) -> Any:
    """The formatted answer to an operation whose `title` fails."""

    def boom(*_: object) -> None:
        raise RuntimeError("boom")

    tree, definition = one.parsed()
    assert definition in tree.definitions
    home = {"feed": [{"id": 1, "title": "t"}], "viewer": {"name": "n"}}
    root = {"home": home, "item": lambda *_, **__: {"id": 1, "title": boom}}
    name = definition.name.value if definition.name else None
    result = execute(SCHEMA, tree, root, operation_name=name)
    return result.formatted  # type: ignore[union-attr]


def test_kept_tree_is_read_again() -> None:
    """While there is room, the same tree is read every time."""
    one = prepared(HOME, trees())
    assert one.read() is one.read()
    assert one.definition is one.parsed()[1]


def test_dropped_tree_answers_alike() -> None:
    """A tree that was dropped is parsed anew: other objects, the same answer, errors in the same
    places."""
    for text in (HOME, WRONG):
        held = trees(1)  # room for none
        one = prepared(text, held)
        before, printed = answered(one), print_ast(one.read())
        prepared(ITEM, held)
        assert one.read() is not one.read()
        assert print_ast(one.read()) == printed
        assert answered(one) == before
    assert before["errors"][0]["locations"] == [{"line": 4, "column": 2}]


def test_definition_is_of_its_tree() -> None:
    """Of a document with several definitions each operation finds its own, in the tree it came
    with."""
    text = f"fragment F on Item {{ id }} {HOME} query Other {{ item(id: 1) {{ ...F }} }}"
    document = preparer().registered(text, "a1", trees(1))
    preparer().registered(ITEM, "a2", trees(1))
    for name in ("Home", "Other"):
        tree, definition = document.operations[name].parsed()
        assert definition.name is not None
        assert definition.name.value == name
        assert any(definition is one for one in tree.definitions)


def test_newest_tree_is_there_at_once() -> None:
    """Who is told of a document reads its tree without another parse, room or not."""
    held = trees(1)
    one = prepared(HOME, held)
    assert one.read() is one.read()
    assert held.held == 0


def test_trees_in_use_drive_out_others() -> None:
    """A tree that is prepared takes free room only; one that is read takes the room of the tree
    that was read longest ago."""
    held = trees(40_000)  # room for three
    operations = [prepared(f"query Q{n} {{ {'numbers ' * 10} }}", held) for n in range(2)]
    first, second = (one.read() for one in operations)
    operations += [prepared(f"query Q{n} {{ {'numbers ' * 10} }}", held) for n in range(2, 6)]
    full = held.held
    assert (operations[0].read(), operations[1].read()) == (first, second)
    assert operations[0].read() is first
    operations[3].parsed()  # drives out the third, which nobody read
    operations[4].parsed()
    assert operations[0].read() is first
    assert operations[1].read() is not second
    assert held.held == full <= 40_000


def test_trees_hold_what_they_say() -> None:
    """A hundred documents take no more memory for their trees than the bound."""
    limit = 300_000
    preparing = preparer()
    texts = [f"query Q{n} {{ {f'a{n}: numbers ' * 50} }}" for n in range(100)]
    preparing.registered(HOME, "home", trees())
    gc.collect()
    tracemalloc.start()
    try:
        held = trees(limit)
        documents = [preparing.registered(text, text[:9], held) for text in texts]
        for document in documents:
            next(iter(document.operations.values())).parsed()
        gc.collect()
        full, _ = tracemalloc.get_traced_memory()
        del document
        held._kept.clear()
        held._newest = None
        gc.collect()
        empty, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert limit * 0.3 < full - empty < limit
