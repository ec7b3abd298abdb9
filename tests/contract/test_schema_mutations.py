"""Every write can be repeated: it takes a key and answers the state reached."""

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)

from bff.contract.directives import allowance_of
from tests.contract.schemas import PLATFORMS, schema_of

VERBS = {"signIn", "signOut", "markRead", "saveItem", "unsaveItem", "editProfile", "addAddress"}
OUTCOME = {"state": "String!", "updatedAt": "DateTime!", "revision": "Int!"}


def mutations(platform: str) -> dict[str, GraphQLField]:
    root = schema_of(platform).mutation_type
    assert root is not None
    return dict(root.fields)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platform_has_every_write(platform: str) -> None:
    """Every platform can do all there is to do."""
    assert set(mutations(platform)) == VERBS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_inputs_take_an_idempotency_key(platform: str) -> None:
    """A mutation has one argument, `input`, and the input's `idempotencyKey` is required."""
    for name, field in mutations(platform).items():
        assert list(field.args) == ["input"], name
        assert isinstance(field.args["input"].type, GraphQLNonNull), name
        given = get_named_type(field.args["input"].type)
        assert isinstance(given, GraphQLInputObjectType)
        assert str(given.fields["idempotencyKey"].type) == "String!", name


@pytest.mark.parametrize("platform", PLATFORMS)
def test_payloads_tell_the_outcome(platform: str) -> None:
    """A payload says state, time and revision, and may be null: a failed write costs no other."""
    for name, field in mutations(platform).items():
        payload = field.type
        assert isinstance(payload, GraphQLObjectType), f"{name} is not nullable"
        said = {outcome: str(payload.fields[outcome].type) for outcome in OUTCOME}
        assert said == OUTCOME, name


@pytest.mark.parametrize("platform", PLATFORMS)
def test_few_mutations_are_always_allowed(platform: str) -> None:
    """Signing in and out work whatever the verdict on token or app build; writes an app may have
    made offline pass the gate, but not without their viewer; nothing else does either."""
    allowed = {
        name: bool(allowance.signed_in)
        for name, field in mutations(platform).items()
        if (allowance := allowance_of(field)) is not None
    }
    waiting = dict.fromkeys(("markRead", "saveItem", "unsaveItem"), True)
    assert allowed == {"signIn": False, "signOut": False, **waiting}
