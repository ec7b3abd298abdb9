"""What the iOS app sends with a write. An optional field left out is not the same as null."""

from __future__ import annotations

import strawberry

from schema.blocks.writing import KEY


@strawberry.input
class SignInInput:
    idempotency_key: str = strawberry.field(description=KEY)
    handle: str
    password: str
    device_model: str = strawberry.field(description="As the system names it, e.g. iPhone17,1.")
    device_name: str
    device_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Of an earlier sign-in; without it a device is added."
    )


@strawberry.input
class SignOutInput:
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="Either ids, at most 100, or everything up to one notification.")
class MarkReadInput:
    idempotency_key: str = strawberry.field(description=KEY)
    ids: list[strawberry.ID] | None = strawberry.UNSET
    up_to: strawberry.ID | None = strawberry.UNSET


@strawberry.input
class SaveItemInput:
    idempotency_key: str = strawberry.field(description=KEY)
    item_id: strawberry.ID


@strawberry.input(description="Only what is given changes.")
class EditProfileInput:
    idempotency_key: str = strawberry.field(description=KEY)
    display_name: str | None = strawberry.UNSET
    bio: str | None = strawberry.field(default=strawberry.UNSET, description="Null removes it.")
    locale: str | None = strawberry.field(
        default=strawberry.UNSET, description="BCP 47, e.g. en-GB."
    )
    expected_revision: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="CONFLICT if the profile has another revision by now.",
    )


@strawberry.input
class AddAddressInput:
    idempotency_key: str = strawberry.field(description=KEY)
    label: str
    line1: str
    line2: str | None = strawberry.UNSET
    city: str
    postcode: str
    country: str = strawberry.field(description="ISO 3166 alpha-2.")
