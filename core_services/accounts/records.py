"""What accounts takes and answers, for validation and for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from core_services.accounts.countries import COUNTRIES
from core_services.kit.records import (
    Id,
    IdBatch,
    Input,
    Media,
    Reply,
    Revision,
    Text,
    WireTime,
)

Platform = Literal["ios", "android", "web"]
AddressState = Literal["pending_verification", "verified", "rejected"]
Name = Annotated[Text, Field(min_length=1, max_length=80)]
Bio = Annotated[Text, Field(max_length=500)]
Locale = Annotated[str, Field(pattern="^[a-z]{2,3}(-[A-Z]{2})?$", examples=["en-GB"])]


def _assigned(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("must be an assigned ISO 3166-1 alpha-2 code, for example DE")
    return code


Country = Annotated[
    str, AfterValidator(_assigned), Field(json_schema_extra={"enum": sorted(COUNTRIES)})
]


class SignInDevice(Input):
    """The installation that signs in; without an id it becomes a new device."""

    id: Id | None = None
    platform: Platform
    model: Annotated[Text, Field(max_length=80)]
    name: Annotated[Text, Field(max_length=80)]


class SignIn(Input):
    """Credentials of a seeded account and the device they are typed on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "handle": "demo",
                    "password": "facet-demo",
                    "device": {"platform": "ios", "model": "iPhone17,1", "name": "Ada's phone"},
                }
            ]
        }
    )

    handle: Annotated[Text, Field(min_length=1, max_length=64)]
    password: Annotated[Text, Field(min_length=1, max_length=128)]
    device: SignInDevice


class SignedIn(Reply):
    """A session and a fresh access token for it."""

    state: Literal["SIGNED_IN"]
    account_id: str
    session_id: str
    access_token: str
    expires_at: WireTime
    updated_at: WireTime
    revision: Revision


class SignedOut(Reply):
    """The account's new revocation epoch; every token below it is void."""

    state: Literal["SIGNED_OUT"]
    epoch: Annotated[int, Field(ge=1)]
    updated_at: WireTime
    revision: Revision


class Revocation(Reply):
    """Tokens of this account with a smaller epoch are void."""

    account_id: str
    epoch: Annotated[int, Field(ge=1)]


class Revocations(Reply):
    """Moved epochs; ask again with `since` = `as_of`."""

    revocations: list[Revocation]
    as_of: WireTime


class CardsBatch(IdBatch):
    """The accounts wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["acc_00001", "acc_00002"]}]})


class Card(Reply):
    """What everybody may see of an account."""

    id: str
    handle: str
    display_name: str
    avatar: Media | None
    verified: bool
    follower_count: Annotated[int, Field(ge=0)]


class Cards(Reply):
    """The accounts that exist, in request order, each once."""

    cards: list[Card]


class Address(Reply):
    """A postal address of the viewer."""

    id: str
    label: str
    line1: str
    line2: str | None
    city: str
    postcode: str
    country: str
    state: AddressState
    revision: Revision
    updated_at: WireTime


class Device(Reply):
    """An installation the viewer has signed in on."""

    id: str
    platform: Platform
    model: str
    name: str
    last_seen_at: WireTime
    created_at: WireTime


class Profile(Reply):
    """Everything the viewer sees of the own account; at most the 50 devices seen last."""

    id: str
    handle: str
    display_name: str
    bio: str | None
    email: str
    phone: str | None
    locale: str
    avatar: Media | None
    verified: bool
    follower_count: Annotated[int, Field(ge=0)]
    following_count: Annotated[int, Field(ge=0)]
    joined_at: WireTime
    revision: Revision
    updated_at: WireTime
    addresses: list[Address]
    devices: list[Device]


class ProfileChange(Input):
    """What to change; a field left out stays, `bio: null` removes it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"display_name": "Ada", "bio": "Reads at night."}]}
    )

    display_name: Name = Field(default_factory=str)
    bio: Bio | None = None
    locale: Locale = Field(default_factory=str)
    expected_revision: Revision | None = None


class ProfileSaved(Reply):
    """The profile after the change."""

    state: Literal["SAVED"]
    profile: Profile
    updated_at: WireTime
    revision: Revision


class NewAddress(Input):
    """A postal address to add."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "label": "Home",
                    "line1": "1 Example Street",
                    "city": "Berlin",
                    "postcode": "10115",
                    "country": "DE",
                }
            ]
        }
    )

    label: Annotated[Text, Field(min_length=1, max_length=40)]
    line1: Annotated[Text, Field(min_length=1, max_length=120)]
    line2: Annotated[Text, Field(max_length=120)] | None = None
    city: Name
    postcode: Annotated[Text, Field(min_length=1, max_length=16)]
    country: Country


class AddressAdded(Reply):
    """The address as stored, waiting to be verified."""

    state: Literal["pending_verification"]
    address: Address
    updated_at: WireTime
    revision: Revision


class JsonWebKey(Reply):
    """A public P-256 key (RFC 7517, RFC 7518 section 6.2)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    alg: Literal["ES256"]
    use: Literal["sig"]


class JsonWebKeys(Reply):
    """The keys that verify access tokens."""

    keys: list[JsonWebKey]
