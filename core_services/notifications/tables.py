"""The tables of notifications, and the index behind each query; the queries are in `store`.

Times are whole milliseconds since 1970 (UTC): the same integer in SQLite and PostgreSQL, exact in
a cursor, and what the wire shows.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor_id", String(64)),
    Column("item_id", String(64)),
    Column("text", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint(
        "kind IN ('like', 'comment', 'follow', 'mention', 'new_content', 'system')",
        name="notifications_kind",
    ),
    Index("notifications_newest", "account_id", "created_at", "id"),
    Index("notifications_of_kind", "account_id", "kind", "created_at", "id"),
    # Marking everything up to a point touches unread rows only, however long the history is.
    Index(
        "notifications_unread",
        "account_id",
        "created_at",
        "id",
        sqlite_where=text("read_at IS NULL"),
        postgresql_where=text("read_at IS NULL"),
    ),
)

inboxes = Table(
    "inboxes",
    metadata,
    Column("account_id", String(64), primary_key=True),
    # Kept in the transaction of every write: the request path never counts.
    Column("unread", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint("unread >= 0", name="inboxes_unread"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("push", Boolean, nullable=False),
    Column("email", Boolean, nullable=False),
    Column("in_app", Boolean, nullable=False),
)

preference_sets = Table(
    "preference_sets",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("quiet_start", String(5)),
    Column("quiet_end", String(5)),
    Column("quiet_time_zone", String(64)),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
