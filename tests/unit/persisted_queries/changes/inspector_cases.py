"""Cases for every member of graphql-inspector's ChangeType (@graphql-inspector/core 8.0.0);
those of directives stand in a file of their own."""

from __future__ import annotations

from persisted_queries.changes.model import Kind
from tests.unit.persisted_queries.changes.cases import (
    BREAKING,
    DANGEROUS,
    EMPTY_TO_NULL,
    NEW_TYPE_MET,
    NOW_REQUIRED,
    SAFE,
    Case,
    case,
)
from tests.unit.persisted_queries.changes.inspector_directive_cases import APPLIED, DIRECTIVES

AS_BEFORE = "as graphql-js: that leaving the new field out means what it did, the service must keep"

ROOTS = (
    case(
        "SCHEMA_QUERY_TYPE_CHANGED",
        "schema { query: Query } type Query { a: String } type Other { a: String }",
        "schema { query: Other } type Query { a: String } type Other { a: String }",
        BREAKING,
        (Kind.QUERY_ROOT_CHANGED, "", BREAKING),
    ),
    case(
        "SCHEMA_MUTATION_TYPE_CHANGED",
        "schema { query: Query mutation: M } type Query { a: String } type M { a: String }",
        "schema { query: Query } type Query { a: String } type M { a: String }",
        BREAKING,
        (Kind.MUTATION_ROOT_CHANGED, "", BREAKING),
    ),
    case(
        "SCHEMA_MUTATION_TYPE_CHANGED",
        "schema { query: Query } type Query { a: String } type M { a: String }",
        "schema { query: Query mutation: M } type Query { a: String } type M { a: String }",
        SAFE,
        (Kind.MUTATION_ROOT_CHANGED, "", SAFE),
    ),
    case(
        "SCHEMA_SUBSCRIPTION_TYPE_CHANGED",
        "schema { query: Query subscription: S } type Query { a: String } type S { a: String }",
        "schema { query: Query } type Query { a: String } type S { a: String }",
        BREAKING,
        (Kind.SUBSCRIPTION_ROOT_CHANGED, "", BREAKING),
    ),
)

TYPES = (
    case("TYPE_ADDED", "", "type T { a: Int }", SAFE, (Kind.TYPE_ADDED, "T", SAFE)),
    case("TYPE_REMOVED", "type T { a: Int }", "", BREAKING, (Kind.TYPE_REMOVED, "T", BREAKING)),
    case(
        "TYPE_KIND_CHANGED",
        "type T { a: Int }",
        "interface T { a: Int }",
        BREAKING,
        (Kind.TYPE_KIND_CHANGED, "T", BREAKING),
    ),
    case(
        "TYPE_DESCRIPTION_ADDED",
        "scalar T",
        '"New." scalar T',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T", SAFE),
    ),
    case(
        "TYPE_DESCRIPTION_CHANGED",
        '"Old." scalar T',
        '"New." scalar T',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T", SAFE),
    ),
    case(
        "TYPE_DESCRIPTION_REMOVED",
        '"Old." scalar T',
        "scalar T",
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T", SAFE),
    ),
)

FIELDS = (
    case(
        "FIELD_ADDED",
        "type T { a: Int }",
        "type T { a: Int b: Int }",
        SAFE,
        (Kind.FIELD_ADDED, "T.b", SAFE),
    ),
    case(
        "FIELD_REMOVED",
        "type T { a: Int b: Int }",
        "type T { a: Int }",
        BREAKING,
        (Kind.FIELD_REMOVED, "T.b", BREAKING),
    ),
    case(
        "FIELD_DESCRIPTION_ADDED",
        "type T { a: Int }",
        'type T { "New." a: Int }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_DESCRIPTION_CHANGED",
        'type T { "Old." a: Int }',
        'type T { "New." a: Int }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_DESCRIPTION_REMOVED",
        'type T { "Old." a: Int }',
        "type T { a: Int }",
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_DEPRECATION_ADDED",
        "type T { a: Int }",
        'type T { a: Int @deprecated(reason: "b") }',
        SAFE,
        (Kind.DEPRECATED, "T.a", SAFE),
    ),
    case(
        "FIELD_DEPRECATION_REMOVED",
        'type T { a: Int @deprecated(reason: "b") }',
        "type T { a: Int }",
        SAFE,
        (Kind.UNDEPRECATED, "T.a", SAFE),
    ),
    case(
        "FIELD_DEPRECATION_REASON_ADDED",
        "type T { a: Int @deprecated }",
        'type T { a: Int @deprecated(reason: "b") }',
        SAFE,
        (Kind.DEPRECATION_REASON_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_DEPRECATION_REASON_CHANGED",
        'type T { a: Int @deprecated(reason: "b") }',
        'type T { a: Int @deprecated(reason: "c") }',
        SAFE,
        (Kind.DEPRECATION_REASON_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_DEPRECATION_REASON_REMOVED",
        'type T { a: Int @deprecated(reason: "b") }',
        "type T { a: Int @deprecated }",
        SAFE,
        (Kind.DEPRECATION_REASON_CHANGED, "T.a", SAFE),
    ),
    case(
        "FIELD_TYPE_CHANGED",
        "type T { a: Int! }",
        "type T { a: Int }",
        BREAKING,
        (Kind.FIELD_TYPE_CHANGED, "T.a", BREAKING),
    ),
    case(
        "FIELD_TYPE_CHANGED",
        "type T { a: Int }",
        "type T { a: String }",
        BREAKING,
        (Kind.FIELD_TYPE_CHANGED, "T.a", BREAKING),
    ),
    case(
        "FIELD_TYPE_CHANGED",
        "type T { a: [Int] }",
        "type T { a: [Int!]! }",
        SAFE,
        (Kind.FIELD_TYPE_CHANGED, "T.a", DANGEROUS),
        why=EMPTY_TO_NULL,
    ),
)

ARGUMENTS = (
    case(
        "FIELD_ARGUMENT_ADDED",
        "type T { a: Int }",
        "type T { a(x: Int!): Int }",
        BREAKING,
        (Kind.ARGUMENT_ADDED, "T.a(x:)", BREAKING),
    ),
    case(
        "FIELD_ARGUMENT_ADDED",
        "type T { a: Int }",
        "type T { a(x: Int): Int }",
        DANGEROUS,
        (Kind.ARGUMENT_ADDED, "T.a(x:)", DANGEROUS),
    ),
    case(
        "FIELD_ARGUMENT_ADDED",
        "type T { a: Int }",
        "type T { a(x: Int! = 1): Int }",
        DANGEROUS,
        (Kind.ARGUMENT_ADDED, "T.a(x:)", DANGEROUS),
    ),
    case(
        "FIELD_ARGUMENT_REMOVED",
        "type T { a(x: Int): Int }",
        "type T { a: Int }",
        BREAKING,
        (Kind.ARGUMENT_REMOVED, "T.a(x:)", BREAKING),
    ),
    case(
        "FIELD_ARGUMENT_TYPE_CHANGED",
        "type T { a(x: Int): Int }",
        "type T { a(x: Int!): Int }",
        BREAKING,
        (Kind.ARGUMENT_TYPE_CHANGED, "T.a(x:)", BREAKING),
    ),
    case(
        "FIELD_ARGUMENT_TYPE_CHANGED",
        "type T { a(x: Int!): Int }",
        "type T { a(x: Int): Int }",
        SAFE,
        (Kind.ARGUMENT_TYPE_CHANGED, "T.a(x:)", SAFE),
    ),
    case(
        "FIELD_ARGUMENT_DEFAULT_CHANGED",
        "type T { a(x: Int = 1): Int }",
        "type T { a(x: Int = 2): Int }",
        DANGEROUS,
        (Kind.ARGUMENT_DEFAULT_CHANGED, "T.a(x:)", DANGEROUS),
    ),
    case(
        "FIELD_ARGUMENT_DEFAULT_CHANGED",
        "type T { a(x: Int): Int }",
        "type T { a(x: Int = 2): Int }",
        DANGEROUS,
        (Kind.ARGUMENT_DEFAULT_CHANGED, "T.a(x:)", DANGEROUS),
    ),
    case(
        "FIELD_ARGUMENT_DEFAULT_CHANGED",
        "type T { a(x: Int! = 1): Int }",
        "type T { a(x: Int!): Int }",
        DANGEROUS,
        (Kind.ARGUMENT_DEFAULT_CHANGED, "T.a(x:)", BREAKING),
        why=NOW_REQUIRED,
    ),
    case(
        "FIELD_ARGUMENT_DESCRIPTION_CHANGED",
        'type T { a("Old." x: Int): Int }',
        'type T { a("New." x: Int): Int }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "T.a(x:)", SAFE),
    ),
)

INPUTS = (
    case(
        "INPUT_FIELD_ADDED",
        "input I { a: Int }",
        "input I { a: Int b: Int! }",
        BREAKING,
        (Kind.INPUT_FIELD_ADDED, "I.b", BREAKING),
    ),
    case(
        "INPUT_FIELD_ADDED",
        "input I { a: Int }",
        "input I { a: Int b: Int }",
        SAFE,
        (Kind.INPUT_FIELD_ADDED, "I.b", DANGEROUS),
        why=AS_BEFORE,
    ),
    case(
        "INPUT_FIELD_ADDED",
        "input I { a: Int }",
        "input I { a: Int b: Int! = 1 }",
        DANGEROUS,
        (Kind.INPUT_FIELD_ADDED, "I.b", DANGEROUS),
    ),
    case(
        "INPUT_FIELD_REMOVED",
        "input I { a: Int b: Int }",
        "input I { a: Int }",
        BREAKING,
        (Kind.INPUT_FIELD_REMOVED, "I.b", BREAKING),
    ),
    case(
        "INPUT_FIELD_TYPE_CHANGED",
        "input I { a: Int }",
        "input I { a: String }",
        BREAKING,
        (Kind.INPUT_FIELD_TYPE_CHANGED, "I.a", BREAKING),
    ),
    case(
        "INPUT_FIELD_TYPE_CHANGED",
        "input I { a: Int! }",
        "input I { a: Int }",
        SAFE,
        (Kind.INPUT_FIELD_TYPE_CHANGED, "I.a", SAFE),
    ),
    case(
        "INPUT_FIELD_DEFAULT_VALUE_CHANGED",
        "input I { a: Int = 1 }",
        "input I { a: Int = 2 }",
        DANGEROUS,
        (Kind.INPUT_FIELD_DEFAULT_CHANGED, "I.a", DANGEROUS),
    ),
    case(
        "INPUT_FIELD_DESCRIPTION_ADDED",
        "input I { a: Int }",
        'input I { "New." a: Int }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "I.a", SAFE),
    ),
    case(
        "INPUT_FIELD_DESCRIPTION_CHANGED",
        'input I { "Old." a: Int }',
        'input I { "New." a: Int }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "I.a", SAFE),
    ),
    case(
        "INPUT_FIELD_DESCRIPTION_REMOVED",
        'input I { "Old." a: Int }',
        "input I { a: Int }",
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "I.a", SAFE),
    ),
)

MEMBERS = (
    case(
        "ENUM_VALUE_ADDED",
        "enum E { A }",
        "enum E { A B }",
        DANGEROUS,
        (Kind.ENUM_VALUE_ADDED, "E.B", DANGEROUS),
    ),
    case(
        "ENUM_VALUE_REMOVED",
        "enum E { A B }",
        "enum E { A }",
        BREAKING,
        (Kind.ENUM_VALUE_REMOVED, "E.B", BREAKING),
    ),
    case(
        "ENUM_VALUE_DESCRIPTION_CHANGED",
        'enum E { "Old." A }',
        'enum E { "New." A }',
        SAFE,
        (Kind.DESCRIPTION_CHANGED, "E.A", SAFE),
    ),
    case(
        "ENUM_VALUE_DEPRECATION_REASON_ADDED",
        "enum E { A B }",
        'enum E { A B @deprecated(reason: "A") }',
        SAFE,
        (Kind.DEPRECATED, "E.B", SAFE),
    ),
    case(
        "ENUM_VALUE_DEPRECATION_REASON_CHANGED",
        'enum E { A B @deprecated(reason: "A") }',
        'enum E { A B @deprecated(reason: "C") }',
        SAFE,
        (Kind.DEPRECATION_REASON_CHANGED, "E.B", SAFE),
    ),
    case(
        "ENUM_VALUE_DEPRECATION_REASON_REMOVED",
        'enum E { A B @deprecated(reason: "A") }',
        "enum E { A B }",
        SAFE,
        (Kind.UNDEPRECATED, "E.B", SAFE),
    ),
    case(
        "UNION_MEMBER_ADDED",
        "union U = T type T { a: Int } type S { a: Int }",
        "union U = T | S type T { a: Int } type S { a: Int }",
        DANGEROUS,
        (Kind.UNION_MEMBER_ADDED, "U", DANGEROUS),
    ),
    case(
        "UNION_MEMBER_REMOVED",
        "union U = T | S type T { a: Int } type S { a: Int }",
        "union U = T type T { a: Int } type S { a: Int }",
        BREAKING,
        (Kind.UNION_MEMBER_REMOVED, "U", BREAKING),
    ),
    case(
        "OBJECT_TYPE_INTERFACE_ADDED",
        "interface I { a: Int } type T { a: Int }",
        "interface I { a: Int } type T implements I { a: Int }",
        DANGEROUS,
        (Kind.INTERFACE_ADDED, "T", DANGEROUS),
    ),
    case(
        "OBJECT_TYPE_INTERFACE_ADDED",
        "interface I { a: Int }",
        "interface I { a: Int } type T implements I { a: Int }",
        SAFE,
        (Kind.INTERFACE_ADDED, "T", DANGEROUS),
        (Kind.TYPE_ADDED, "T", SAFE),
        why=NEW_TYPE_MET,
    ),
    case(
        "OBJECT_TYPE_INTERFACE_REMOVED",
        "interface I { a: Int } type T implements I { a: Int }",
        "interface I { a: Int } type T { a: Int }",
        BREAKING,
        (Kind.INTERFACE_REMOVED, "T", BREAKING),
    ),
)

CASES: tuple[Case, ...] = (
    *ROOTS,
    *TYPES,
    *FIELDS,
    *ARGUMENTS,
    *INPUTS,
    *MEMBERS,
    *DIRECTIVES,
    *APPLIED,
)
