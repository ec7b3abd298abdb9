"""Cases for the members of graphql-inspector's ChangeType that concern directives."""

from __future__ import annotations

from persisted_queries.changes.model import Kind
from tests.unit.persisted_queries.changes.cases import (
    BREAKING,
    DANGEROUS,
    NOT_IN_DOCUMENTS,
    OWN_MEANING,
    SAFE,
    Case,
    case,
)

FIELD_TAG = "directive @tag(name: String) on FIELD_DEFINITION\n"
MEANING_UNKNOWN = "what an argument given for the first time does to old releases is unknown"
SAME_AS_DEFINITION = "never reported: it means a directive in a document, not in a schema"
USED = "directive @used(by: String) on QUERY | FIELD\n"


def anywhere(location: str) -> str:
    return f"directive @tag(name: String) on {location}\n"


DIRECTIVES = (
    case("DIRECTIVE_ADDED", "", USED, SAFE, (Kind.DIRECTIVE_ADDED, "@used", SAFE)),
    case("DIRECTIVE_REMOVED", USED, "", BREAKING, (Kind.DIRECTIVE_REMOVED, "@used", BREAKING)),
    case(
        "DIRECTIVE_REMOVED",
        FIELD_TAG,
        "",
        BREAKING,
        (Kind.DIRECTIVE_REMOVED, "@tag", SAFE),
        why=NOT_IN_DOCUMENTS,
    ),
    case(
        "DIRECTIVE_DESCRIPTION_CHANGED",
        '"Old." ' + USED,
        '"New." ' + USED,
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "@used", SAFE),
    ),
    case(
        "DIRECTIVE_LOCATION_ADDED",
        "directive @used on FIELD",
        "directive @used on FIELD | QUERY",
        SAFE,
        (Kind.DIRECTIVE_LOCATION_ADDED, "@used", SAFE),
    ),
    case(
        "DIRECTIVE_LOCATION_REMOVED",
        "directive @used on FIELD | QUERY",
        "directive @used on FIELD",
        BREAKING,
        (Kind.DIRECTIVE_LOCATION_REMOVED, "@used", BREAKING),
    ),
    case(
        "DIRECTIVE_LOCATION_REMOVED",
        "directive @used on FIELD | OBJECT",
        "directive @used on FIELD",
        BREAKING,
        (Kind.DIRECTIVE_LOCATION_REMOVED, "@used", SAFE),
        why=NOT_IN_DOCUMENTS,
    ),
    case(
        "DIRECTIVE_REPEATABLE_ADDED",
        "directive @used on FIELD",
        "directive @used repeatable on FIELD",
        SAFE,
        (Kind.DIRECTIVE_REPEATABLE_ADDED, "@used", SAFE),
    ),
    case(
        "DIRECTIVE_REPEATABLE_REMOVED",
        "directive @used repeatable on FIELD",
        "directive @used on FIELD",
        DANGEROUS,
        (Kind.DIRECTIVE_REPEATABLE_REMOVED, "@used", BREAKING),
        why="as graphql-js: a document that repeats it is no longer valid",
    ),
    case(
        "DIRECTIVE_ARGUMENT_ADDED",
        "directive @used on FIELD",
        "directive @used(by: String!) on FIELD",
        BREAKING,
        (Kind.DIRECTIVE_ARGUMENT_ADDED, "@used(by:)", BREAKING),
    ),
    case(
        "DIRECTIVE_ARGUMENT_ADDED",
        "directive @used on FIELD",
        "directive @used(by: String) on FIELD",
        SAFE,
        (Kind.DIRECTIVE_ARGUMENT_ADDED, "@used(by:)", SAFE),
    ),
    case(
        "DIRECTIVE_ARGUMENT_ADDED",
        "directive @used on FIELD",
        'directive @used(by: String! = "me") on FIELD',
        BREAKING,
        (Kind.DIRECTIVE_ARGUMENT_ADDED, "@used(by:)", SAFE),
        why="as graphql-js: with a default nobody has to give it",
    ),
    case(
        "DIRECTIVE_ARGUMENT_REMOVED",
        "directive @used(by: String) on FIELD",
        "directive @used on FIELD",
        BREAKING,
        (Kind.DIRECTIVE_ARGUMENT_REMOVED, "@used(by:)", BREAKING),
    ),
    case(
        "DIRECTIVE_ARGUMENT_DESCRIPTION_CHANGED",
        'directive @used("Old." by: String) on FIELD',
        'directive @used("New." by: String) on FIELD',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "@used(by:)", SAFE),
    ),
    case(
        "DIRECTIVE_ARGUMENT_DEFAULT_VALUE_CHANGED",
        'directive @used(by: String = "me") on FIELD',
        'directive @used(by: String = "you") on FIELD',
        DANGEROUS,
        (Kind.DIRECTIVE_ARGUMENT_DEFAULT_CHANGED, "@used(by:)", DANGEROUS),
    ),
    case(
        "DIRECTIVE_ARGUMENT_TYPE_CHANGED",
        "directive @used(by: String) on FIELD",
        "directive @used(by: Int) on FIELD",
        BREAKING,
        (Kind.DIRECTIVE_ARGUMENT_TYPE_CHANGED, "@used(by:)", BREAKING),
    ),
    case(
        "DIRECTIVE_ARGUMENT_TYPE_CHANGED",
        "directive @used(by: String!) on FIELD",
        "directive @used(by: String) on FIELD",
        SAFE,
        (Kind.DIRECTIVE_ARGUMENT_TYPE_CHANGED, "@used(by:)", SAFE),
    ),
)


def _applied(named: str, location: str, plain: str, place: str) -> tuple[Case, Case]:
    """A directive put on and taken off again; `plain` has `@` where it goes."""
    without = anywhere(location) + plain.replace(" @", "")
    with_it = anywhere(location) + plain.replace("@", "@tag")
    added = (Kind.APPLIED, place, DANGEROUS)
    removed = (Kind.UNAPPLIED, place, DANGEROUS)
    return (
        case(f"DIRECTIVE_USAGE_{named}_ADDED", without, with_it, DANGEROUS, added),
        case(f"DIRECTIVE_USAGE_{named}_REMOVED", with_it, without, DANGEROUS, removed),
    )


APPLIED = (
    *_applied("SCHEMA", "SCHEMA", "schema @ { query: Query } type Query { a: Int }", ""),
    *_applied("SCALAR", "SCALAR", "scalar T @", "T"),
    *_applied("OBJECT", "OBJECT", "type T @ { a: Int }", "T"),
    *_applied("INTERFACE", "INTERFACE", "interface T @ { a: Int }", "T"),
    *_applied("UNION_MEMBER", "UNION", "type T { a: Int } union U @ = T", "U"),
    *_applied("ENUM", "ENUM", "enum E @ { A }", "E"),
    *_applied("ENUM_VALUE", "ENUM_VALUE", "enum E { A @ }", "E.A"),
    *_applied("INPUT_OBJECT", "INPUT_OBJECT", "input I @ { a: Int }", "I"),
    *_applied("INPUT_FIELD_DEFINITION", "INPUT_FIELD_DEFINITION", "input I { a: Int @ }", "I.a"),
    *_applied("FIELD_DEFINITION", "FIELD_DEFINITION", "type T { a: Int @ }", "T.a"),
    *_applied(
        "ARGUMENT_DEFINITION", "ARGUMENT_DEFINITION", "type T { a(x: Int @): Int }", "T.a(x:)"
    ),
    case(
        "DIRECTIVE_USAGE_FIELD_ADDED",
        FIELD_TAG + "type T { a: Int }",
        FIELD_TAG + "type T { a: Int @tag }",
        None,
        (Kind.APPLIED, "T.a", DANGEROUS),
        why=SAME_AS_DEFINITION,
    ),
    case(
        "DIRECTIVE_USAGE_FIELD_REMOVED",
        FIELD_TAG + "type T { a: Int @tag }",
        FIELD_TAG + "type T { a: Int }",
        None,
        (Kind.UNAPPLIED, "T.a", DANGEROUS),
        why=SAME_AS_DEFINITION,
    ),
    case(
        "DIRECTIVE_USAGE_ARGUMENT_ADDED",
        FIELD_TAG + "type T { a: Int @tag }",
        FIELD_TAG + 'type T { a: Int @tag(name: "x") }',
        SAFE,
        (Kind.APPLIED_ARGUMENT_CHANGED, "T.a", DANGEROUS),
        why=MEANING_UNKNOWN,
    ),
    case(
        "DIRECTIVE_USAGE_ARGUMENT_REMOVED",
        FIELD_TAG + 'type T { a: Int @tag(name: "x") }',
        FIELD_TAG + "type T { a: Int @tag }",
        DANGEROUS,
        (Kind.APPLIED_ARGUMENT_CHANGED, "T.a", DANGEROUS),
    ),
    case(
        "DIRECTIVE_USAGE_INPUT_OBJECT_ADDED",
        "input I { a: Int b: Int }",
        "input I @oneOf { a: Int b: Int }",
        BREAKING,
        (Kind.ONE_OF_ADDED, "I", BREAKING),
    ),
    case(
        "DIRECTIVE_USAGE_INPUT_OBJECT_REMOVED",
        "input I @oneOf { a: Int b: Int }",
        "input I { a: Int b: Int }",
        SAFE,
        (Kind.ONE_OF_REMOVED, "I", SAFE),
    ),
    case(
        "DIRECTIVE_USAGE_FIELD_DEFINITION_ADDED",
        "directive @screen on FIELD_DEFINITION type T { a: Int }",
        "directive @screen on FIELD_DEFINITION type T { a: Int @screen }",
        DANGEROUS,
        (Kind.APPLIED, "T.a", SAFE),
        why=OWN_MEANING,
    ),
    case(
        "DIRECTIVE_USAGE_FIELD_DEFINITION_REMOVED",
        "directive @section on FIELD_DEFINITION type T { a: Int @section }",
        "directive @section on FIELD_DEFINITION type T { a: Int }",
        DANGEROUS,
        (Kind.UNAPPLIED, "T.a", SAFE),
        why=OWN_MEANING,
    ),
)
