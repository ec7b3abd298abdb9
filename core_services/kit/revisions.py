"""Server revisions: one rising number an account, moved inside the transaction of each write."""

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

# Both databases know this upsert; it takes the counter's row lock until the write commits.
_NEXT = text(
    "INSERT INTO revision_counters (account_id, n) VALUES (:account_id, 1) "
    "ON CONFLICT (account_id) DO UPDATE SET n = revision_counters.n + 1 RETURNING n"
).bindparams(bindparam("account_id"))

_CURRENT = text("SELECT n FROM revision_counters WHERE account_id = :account_id")


async def next_revision(connection: AsyncConnection, account_id: str) -> int:
    """Move and return the account's revision; call it inside `Database.writer()`."""
    return int((await connection.execute(_NEXT, {"account_id": account_id})).scalar_one())


async def current_revision(connection: AsyncConnection, account_id: str) -> int:
    """Return the account's revision, 0 before its first write."""
    found = (await connection.execute(_CURRENT, {"account_id": account_id})).scalar_one_or_none()
    return int(found or 0)
