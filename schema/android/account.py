"""People on Android: the public card that viewer, authors and actors share."""

from __future__ import annotations

import strawberry

from bff.context import Info
from bff.contract import Sunset, record
from bff.loaders.accounts import AccountCardRecord
from schema.android.image import Image
from schema.blocks.image import image_url

AVATAR_PIXELS = 144


def _avatar_url(root: AccountCardRecord) -> str | None:
    return image_url(root.avatar, AVATAR_PIXELS, "webp") if root.avatar else None


@strawberry.type(description="What anybody may see of an account.")
@record(AccountCardRecord)
class AccountCard:
    id: strawberry.ID
    handle: str
    display_name: str
    avatar: Image | None
    avatar_url: str | None = strawberry.field(
        resolver=_avatar_url,
        deprecation_reason="Ask for avatar.url in the density of the device.",
        directives=[Sunset(after="2027-05-31", releases_below="7.0.0")],
    )
    verified: bool
    follower_count: int


def viewer_key(root: object, info: Info) -> str:
    """The viewer's account id, for what is the viewer's own. Raises UNAUTHENTICATED when nobody
    is signed in."""
    return info.context.signed_in().account_id
