"""Of a fence an operation meets only what it can read; most meet nothing."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from functools import cache

import pytest
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, build_schema, parse

from bff.fence import FREE, Fence, fence, never_null
from bff.plans.fencing import Fencing, Touched, touched_by
from tests.compiler.leaves import declare_fallback

SCHEMA = build_schema("""
    type Query { a: A i: I u: U kind: Kind mood: Mood }
    interface I { id: Int peer: I must: Int! }
    type A implements I { id: Int! peer: B kind: Kind must: Int! }
    type B implements I { id: Int peer: I mood: Mood must: Int! }
    type C { id: Int }
    union U = A | C
    enum Kind { OLD NEW }
    enum Mood { GLAD SAD NEW }
    """)
declare_fallback(SCHEMA.type_map["Mood"], "SAD")
KIND = {"Kind": ["NEW"]}


def touched(text: str, fenced: Fence) -> Touched | None:
    document = parse(text)
    definition = document.definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    return touched_by(SCHEMA, document, definition, fenced)


@dataclass
class Operation:
    """A registered operation that counts how often it is parsed."""

    text: str
    name: str | None = None
    parsings: int = 0

    @property
    def document_hash(self) -> str:
        return self.text

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        self.parsings += 1
        document = known(self.text)
        definition = document.definitions[0]
        assert isinstance(definition, OperationDefinitionNode)
        return document, definition


@cache
def known(text: str) -> DocumentNode:
    return parse(text)


@pytest.mark.parametrize(
    ("text", "fenced"),
    [
        ("{ mood }", fence(KIND, {})),
        ("{ a { id peer { id } } }", fence(KIND, {"I": ["B"], "U": ["C"]})),
        ("{ kind }", fence({}, {"I": ["B"]}, ["Query.mood", "A.id"], ["B.id"])),
        ("{ __typename } fragment F on Query { kind }", fence(KIND, {})),
        ("{ kind }", FREE),
    ],
    ids=["another enum", "no such position", "other fields", "fragment not spread", "free"],
)
def test_untouched_operations_are_free(text: str, fenced: Fence) -> None:
    """An operation that can read nothing of what is withheld is everybody's."""
    assert touched(text, fenced) is None


@pytest.mark.parametrize(
    "text",
    [
        "{ kind }",
        "{ a { kind } }",
        "{ u { ... on A { k: kind } } }",
        "{ ...F } fragment F on Query { a { ...G } } fragment G on A { kind }",
        "query ($s: Boolean!) { kind @skip(if: $s) }",
    ],
)
def test_enums_are_found_wherever_they_stand(text: str) -> None:
    """Below types, conditions, fragments of fragments, and where @skip may leave them out."""
    found = touched(text, fence(KIND, {}))
    assert found is not None
    assert found.enums["Kind"].withheld == {"NEW"}


def test_the_class_is_narrowed() -> None:
    """Builds that differ in what the operation does not read are one class for it."""
    one = touched("{ kind }", fence(KIND | {"Mood": ["NEW"]}, {}, ["Query.mood"]))
    other = touched("{ kind }", fence(KIND, {"I": ["B"]}, brownouts=["A.id"]))
    apart = touched("{ kind mood }", fence(KIND | {"Mood": ["NEW"]}, {}))
    assert one is not None
    assert other is not None
    assert apart is not None
    assert one.key == other.key != apart.key


def test_fallbacks_are_known_members() -> None:
    """The declared fallback is sent if the build knows it; an enum without one has none."""
    for unknown, instead in ((["NEW"], "SAD"), (["NEW", "SAD"], None)):
        found = touched("{ mood kind }", fence({"Mood": unknown} | KIND, {}))
        assert found is not None
        assert found.enums["Mood"].instead == instead
        assert found.enums["Kind"].instead is None


def test_types_are_withheld_by_what_was_asked() -> None:
    """The type a document was written against decides, not the type that resolves the field."""
    fenced = fence({}, {"I": ["B"]})
    found = touched("{ i { peer { id } } a { peer { id } } }", fenced)
    assert found is not None
    assert sorted(found.types) == [2, 6]
    assert touched("{ a { peer { id } } }", fenced) is None


def test_held_fields_of_interfaces() -> None:
    """A field asked of an interface is held where a type that may resolve it is named, and one
    named of the interface in all its types; a missing capability goes before a brown-out."""
    found = touched("{ i { id } }", fence({}, {}, ["A.id"], ["I.id"]))
    assert found is not None
    assert found.held == {("A", "id"): "absent", ("B", "id"): "brown-out"}


def test_a_document_is_read_once() -> None:
    """Neither another fence nor the same one again parses a document a second time."""
    fencing, operation = Fencing(SCHEMA), Operation("{ kind mood }")
    first = fencing.touched(operation, fence(KIND, {}))
    assert fencing.touched(operation, fence(KIND, {})) is first
    assert fencing.touched(operation, fence({"Mood": ["NEW"]}, {})) is not first
    assert fencing.touched(operation, FREE) is None
    assert operation.parsings == 1


def screen() -> str:
    """A text as large as a screen's: a hundred fields, ten of them at an interface."""
    fields = " ".join(f"f{n}: id" for n in range(8))
    parts = " ".join(f"p{n}: peer {{ {fields} }}" for n in range(10))
    return f"{{ i {{ {parts} }} a {{ kind }} }}"


def test_ten_thousand_documents_are_kept() -> None:
    """What a tenth of ten thousand documents reads takes a tenth of 20 MB at most, with what each
    meets of two fences, and none is parsed a second time."""
    fencing, fences = Fencing(SCHEMA), (fence(KIND, {"I": ["B"]}), fence({}, {}, ["Query.mood"]))
    operations = [Operation(screen(), f"Q{number}") for number in range(1_000)]
    known(screen())
    gc.collect()
    tracemalloc.start()
    for operation in operations:
        fencing.read(operation)
        for fenced in fences:
            fencing.touched(operation, fenced)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for operation in operations:
        fencing.touched(operation, fence(KIND, {}))
    assert {one.parsings for one in operations} == {1}
    assert held < 2 * 1024 * 1024


def test_fields_that_cannot_be_held_are_named() -> None:
    """What must not be null, in the type or in one that implements it, cannot be held back; nor
    can what does not exist."""
    fields = ["A.kind", "A.id", "I.id", "B.id", "I.peer", "I.must", "A.none", "None.id", "Kind", ""]
    assert never_null(SCHEMA, fields) == ["A.id", "I.id", "I.must", "A.none", "None.id", "Kind", ""]


def test_documents_without_locations_are_fenced() -> None:
    """A parser that keeps no locations withholds rather too much than too little."""
    schema: GraphQLSchema = SCHEMA
    document = parse("{ i { peer { id } } }", no_location=True)
    definition = document.definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    found = touched_by(schema, document, definition, fence({}, {"I": ["B"]}))
    assert found is not None
    assert found.types == {-1: {"B"}}
