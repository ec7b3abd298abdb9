"""What the Android app may change. Every write takes the app's own idempotency key: repeating it
after a lost answer repeats the outcome, never the effect."""

from __future__ import annotations

import strawberry

from bff.context import Info
from bff.contract import AlwaysAllowed, batch_field, record
from bff.errors import BadUserInput
from bff.loaders.accounts import (
    AccountCardByIdLoader,
    Accounts,
    AddressAddedRecord,
    ProfileSavedRecord,
    SignInRecord,
    SignOutRecord,
)
from bff.loaders.content import Content, SavedStateRecord
from bff.loaders.notifications import MarkedReadRecord, Notifications
from schema.android.account import AccountCard
from schema.android.inputs import (
    AddAddressInput,
    EditProfileInput,
    MarkReadInput,
    SaveItemInput,
    SignInInput,
    SignOutInput,
)
from schema.android.profile import Address, Profile
from schema.blocks.revision import Written
from schema.blocks.scalars import DateTime
from schema.blocks.writing import given, idempotency_key


@strawberry.type
@record(SignInRecord)
class SignedIn(Written):
    access_token: str = strawberry.field(description="Sent on as `authorization: Bearer …`.")
    expires_at: DateTime
    account: AccountCard | None = batch_field(AccountCardByIdLoader, "account_id")


@strawberry.type(description="Every session of the account has ended.")
@record(SignOutRecord)
class SignedOut(Written):
    pass


@strawberry.type
@record(MarkedReadRecord)
class MarkedRead(Written):
    read_ids: list[strawberry.ID]
    unread: int = strawberry.field(description="What is left for the badge.")


@strawberry.type
@record(SavedStateRecord)
class SavedState(Written):
    item_id: strawberry.ID
    saved: bool


@strawberry.type
@record(ProfileSavedRecord)
class ProfileSaved(Written):
    profile: Profile


@strawberry.type
@record(AddressAddedRecord)
class AddressAdded(Written):
    address: Address


async def _sign_in(info: Info, input: SignInInput) -> SignInRecord:
    await info.context.attempt("signIn", input.handle)
    device = given(
        platform="android",
        model=f"{input.device_manufacturer} {input.device_model}",
        name=input.device_name,
        id=input.device_id,
    )
    return await info.context.upstream(Accounts).sign_in(
        input.handle, input.password, device, idempotency_key(info, input)
    )


async def _sign_out(info: Info, input: SignOutInput) -> SignOutRecord:
    viewer = info.context.signed_in()
    done = await info.context.upstream(Accounts).sign_out(idempotency_key(info, input))
    info.context.epoch_moved(viewer.account_id, done.epoch)
    return done


async def _mark_read(info: Info, input: MarkReadInput) -> MarkedReadRecord:
    info.context.signed_in()
    what = {name: value for name, value in (("ids", input.ids), ("up_to", input.up_to)) if value}
    if len(what) != 1:
        raise BadUserInput("Give either ids or upTo.")
    return await info.context.upstream(Notifications).mark_read(what, idempotency_key(info, input))


async def _save_item(info: Info, input: SaveItemInput) -> SavedStateRecord:
    info.context.signed_in()
    return await info.context.upstream(Content).save(input.item_id, idempotency_key(info, input))


async def _unsave_item(info: Info, input: SaveItemInput) -> SavedStateRecord:
    info.context.signed_in()
    return await info.context.upstream(Content).unsave(input.item_id, idempotency_key(info, input))


async def _edit_profile(info: Info, input: EditProfileInput) -> ProfileSavedRecord:
    info.context.signed_in()
    changes = given(
        display_name=input.display_name,
        bio=input.bio,
        locale=input.locale,
        expected_revision=input.expected_revision,
    )
    accounts = info.context.upstream(Accounts)
    return await accounts.edit_profile(changes, idempotency_key(info, input))


async def _add_address(info: Info, input: AddAddressInput) -> AddressAddedRecord:
    info.context.signed_in()
    address = given(
        label=input.label,
        line1=input.line1,
        line2=input.line2,
        city=input.city,
        postcode=input.postcode,
        country=input.country,
    )
    accounts = info.context.upstream(Accounts)
    return await accounts.add_address(address, idempotency_key(info, input))


# Writes an app may have made offline: they pass although it must be upgraded.
WAITING = [AlwaysAllowed(signed_in=True)]


@strawberry.type
class Mutation:
    sign_in = strawberry.mutation(
        _sign_in, graphql_type=SignedIn | None, directives=[AlwaysAllowed()]
    )
    sign_out = strawberry.mutation(
        _sign_out, graphql_type=SignedOut | None, directives=[AlwaysAllowed()]
    )
    mark_read = strawberry.mutation(_mark_read, graphql_type=MarkedRead | None, directives=WAITING)
    save_item = strawberry.mutation(_save_item, graphql_type=SavedState | None, directives=WAITING)
    unsave_item = strawberry.mutation(
        _unsave_item, graphql_type=SavedState | None, directives=WAITING
    )
    edit_profile = strawberry.mutation(_edit_profile, graphql_type=ProfileSaved | None)
    add_address = strawberry.mutation(_add_address, graphql_type=AddressAdded | None)
