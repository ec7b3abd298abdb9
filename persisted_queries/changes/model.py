"""The words of a schema comparison: kinds of change, verdicts, and one change; finding them is left
to the modules beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a change may do to an app that was built before it: BREAKING makes a document invalid
    or its answer undecodable, DANGEROUS changes what an unchanged document means or may get, SAFE
    can be noticed by nobody who does not ask for it."""

    BREAKING = "BREAKING"
    DANGEROUS = "DANGEROUS"
    SAFE = "SAFE"


class Kind(StrEnum):
    """Every kind of change we tell apart. The coordinate of a change says where it was: an
    ARGUMENT_… of a field or a DIRECTIVE_ARGUMENT_… of a directive, anything APPLIED where the
    directive stands."""

    QUERY_ROOT_CHANGED = "QUERY_ROOT_CHANGED"
    MUTATION_ROOT_CHANGED = "MUTATION_ROOT_CHANGED"
    SUBSCRIPTION_ROOT_CHANGED = "SUBSCRIPTION_ROOT_CHANGED"
    TYPE_ADDED = "TYPE_ADDED"
    TYPE_REMOVED = "TYPE_REMOVED"
    TYPE_KIND_CHANGED = "TYPE_KIND_CHANGED"
    FIELD_ADDED = "FIELD_ADDED"
    FIELD_REMOVED = "FIELD_REMOVED"
    FIELD_TYPE_CHANGED = "FIELD_TYPE_CHANGED"
    ARGUMENT_ADDED = "ARGUMENT_ADDED"
    ARGUMENT_REMOVED = "ARGUMENT_REMOVED"
    ARGUMENT_TYPE_CHANGED = "ARGUMENT_TYPE_CHANGED"
    ARGUMENT_DEFAULT_CHANGED = "ARGUMENT_DEFAULT_CHANGED"
    INPUT_FIELD_ADDED = "INPUT_FIELD_ADDED"
    INPUT_FIELD_REMOVED = "INPUT_FIELD_REMOVED"
    INPUT_FIELD_TYPE_CHANGED = "INPUT_FIELD_TYPE_CHANGED"
    INPUT_FIELD_DEFAULT_CHANGED = "INPUT_FIELD_DEFAULT_CHANGED"
    ONE_OF_ADDED = "ONE_OF_ADDED"
    ONE_OF_REMOVED = "ONE_OF_REMOVED"
    ENUM_VALUE_ADDED = "ENUM_VALUE_ADDED"
    ENUM_VALUE_REMOVED = "ENUM_VALUE_REMOVED"
    UNION_MEMBER_ADDED = "UNION_MEMBER_ADDED"
    UNION_MEMBER_REMOVED = "UNION_MEMBER_REMOVED"
    INTERFACE_ADDED = "INTERFACE_ADDED"
    INTERFACE_REMOVED = "INTERFACE_REMOVED"
    DIRECTIVE_ADDED = "DIRECTIVE_ADDED"
    DIRECTIVE_REMOVED = "DIRECTIVE_REMOVED"
    DIRECTIVE_LOCATION_ADDED = "DIRECTIVE_LOCATION_ADDED"
    DIRECTIVE_LOCATION_REMOVED = "DIRECTIVE_LOCATION_REMOVED"
    DIRECTIVE_REPEATABLE_ADDED = "DIRECTIVE_REPEATABLE_ADDED"
    DIRECTIVE_REPEATABLE_REMOVED = "DIRECTIVE_REPEATABLE_REMOVED"
    DIRECTIVE_ARGUMENT_ADDED = "DIRECTIVE_ARGUMENT_ADDED"
    DIRECTIVE_ARGUMENT_REMOVED = "DIRECTIVE_ARGUMENT_REMOVED"
    DIRECTIVE_ARGUMENT_TYPE_CHANGED = "DIRECTIVE_ARGUMENT_TYPE_CHANGED"
    DIRECTIVE_ARGUMENT_DEFAULT_CHANGED = "DIRECTIVE_ARGUMENT_DEFAULT_CHANGED"
    APPLIED = "APPLIED"
    UNAPPLIED = "UNAPPLIED"
    APPLIED_ARGUMENT_CHANGED = "APPLIED_ARGUMENT_CHANGED"
    DEPRECATED = "DEPRECATED"
    UNDEPRECATED = "UNDEPRECATED"
    DEPRECATION_REASON_CHANGED = "DEPRECATION_REASON_CHANGED"
    DESCRIPTION_CHANGED = "DESCRIPTION_CHANGED"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `coordinate` is a schema coordinate (`Type`, `Type.field`,
    `Type.field(argument:)`, `@directive`, `@directive(argument:)`; "" for the schema itself);
    `other` names what was added to or taken from it: a union's member, a type's interface, a
    directive. `way_out` says how to reach the aim without the harm; "" where there is none."""

    kind: Kind
    coordinate: str
    message: str
    verdict: Verdict
    way_out: str = ""
    other: str = ""
