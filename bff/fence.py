"""What a calling build must not be sent, as one frozen value; who is fenced is the client room's,
keeping to it the plans'.

A build decodes the enum members and types its schema had on the day it was generated. Releases for
which the same is withheld share one fence class: plans and caches are kept by `Fence.key`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
)

KEY_BYTES = 8


class Fence(msgspec.Struct, frozen=True, eq=False):
    """`enums`: enum type → members unknown to the build. `types`: union or interface → possible
    types unknown to it. `absent`: fields (`Type.field`) that need a capability it lacks: null.
    `brownouts`: fields answered with FIELD_SUNSET for now. `key` names the fence class; it is ""
    where nothing is withheld."""

    enums: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    types: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    brownouts: frozenset[str] = frozenset()
    key: str = ""


FREE = Fence()


class Withheld(NamedTuple):
    """What a fence changed in one answer: members `replaced` by their enum's fallback, values
    `nulled`, list items `dropped`."""

    replaced: int = 0
    nulled: int = 0
    dropped: int = 0


NOTHING_WITHHELD = Withheld()


def fence(
    enums: Mapping[str, Iterable[str]],
    types: Mapping[str, Iterable[str]],
    absent: Iterable[str] = (),
    brownouts: Iterable[str] = (),
) -> Fence:
    """A fence with its key; FREE itself where nothing is withheld."""
    withheld = (_sorted(enums), _sorted(types), sorted(absent), sorted(brownouts))
    if not any(withheld):
        return FREE
    key = hashlib.blake2b(msgspec.json.encode(withheld), digest_size=KEY_BYTES).hexdigest()
    return Fence(
        {name: frozenset(members) for name, members in withheld[0].items()},
        {name: frozenset(members) for name, members in withheld[1].items()},
        frozenset(withheld[2]),
        frozenset(withheld[3]),
        key,
    )


def unknown_to(
    built: GraphQLSchema, schema: GraphQLSchema
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Enum members, and possible types of unions and interfaces, that `schema` has and the schema
    a build was generated from has not. A type the build does not know at all needs no fence: it
    cannot have asked for it."""
    enums: dict[str, frozenset[str]] = {}
    types: dict[str, frozenset[str]] = {}
    for name, now in schema.type_map.items():
        then = built.type_map.get(name)
        if then is None or name.startswith("__"):
            continue
        if isinstance(now, GraphQLEnumType) and isinstance(then, GraphQLEnumType):
            enums[name] = frozenset(now.values) - frozenset(then.values)
        elif is_abstract_type(now) and is_abstract_type(then):
            types[name] = _possible(schema, now) - _possible(built, then)
    return _nonempty(enums), _nonempty(types)


def never_null(schema: GraphQLSchema, fields: Iterable[str]) -> list[str]:
    """Those of some fields (`Type.field`) that cannot be held back: there is no such field, or it
    must not be null, in the type itself or in one that implements it."""
    return [one for one in fields if not _may_be_null(schema, one)]


def _may_be_null(schema: GraphQLSchema, named: str) -> bool:
    owner, _, name = named.partition(".")
    declared = schema.get_type(owner)
    if not isinstance(declared, GraphQLObjectType | GraphQLInterfaceType):
        return False
    owners = [
        declared,
        *(schema.get_possible_types(declared) if is_abstract_type(declared) else ()),
    ]
    fields = [one.fields.get(name) for one in owners]
    return all(one is not None and not isinstance(one.type, GraphQLNonNull) for one in fields)


def _possible(schema: GraphQLSchema, declared: object) -> frozenset[str]:
    return frozenset(one.name for one in schema.get_possible_types(declared))  # type: ignore[arg-type]


def _nonempty(found: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {name: members for name, members in found.items() if members}


def _sorted(found: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    return {name: sorted(found[name]) for name in sorted(found) if found[name]}
