"""People on the web: the public card that viewer, authors and actors share."""

from __future__ import annotations

import strawberry

from bff.context import Info
from bff.contract import record
from bff.loaders.accounts import AccountCardRecord
from schema.web.image import Image


@strawberry.type(description="What anybody may see of an account.")
@record(AccountCardRecord)
class AccountCard:
    id: strawberry.ID
    handle: str
    display_name: str
    avatar: Image | None
    verified: bool
    follower_count: int


def viewer_key(root: object, info: Info) -> str:
    """The viewer's account id, for what is the viewer's own. Raises UNAUTHENTICATED when nobody
    is signed in."""
    return info.context.signed_in().account_id
