"""First version: notifications, inboxes with their unread count, and preferences."""

import sqlalchemy as sa
from alembic import op

from core_services.kit.migrations.tables import create_kit_tables, drop_kit_tables

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    create_kit_tables()
    _create_notifications()
    _create_inboxes()
    _create_preferences()


def downgrade() -> None:
    """Drop everything; indices go with their tables."""
    for table in ("preference_sets", "preferences", "inboxes", "notifications"):
        op.drop_table(table)
    drop_kit_tables()


def _create_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.String(64)),
        sa.Column("item_id", sa.String(64)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("read_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "kind IN ('like', 'comment', 'follow', 'mention', 'new_content', 'system')",
            name="notifications_kind",
        ),
    )
    place = ["created_at", "id"]
    op.create_index("notifications_newest", "notifications", ["account_id", *place])
    op.create_index("notifications_of_kind", "notifications", ["account_id", "kind", *place])
    op.create_index(
        "notifications_unread",
        "notifications",
        ["account_id", *place],
        sqlite_where=sa.text("read_at IS NULL"),
        postgresql_where=sa.text("read_at IS NULL"),
    )


def _create_inboxes() -> None:
    op.create_table(
        "inboxes",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("unread", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("unread >= 0", name="inboxes_unread"),
    )


def _create_preferences() -> None:
    op.create_table(
        "preferences",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("push", sa.Boolean, nullable=False),
        sa.Column("email", sa.Boolean, nullable=False),
        sa.Column("in_app", sa.Boolean, nullable=False),
    )
    op.create_table(
        "preference_sets",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("quiet_start", sa.String(5)),
        sa.Column("quiet_end", sa.String(5)),
        sa.Column("quiet_time_zone", sa.String(64)),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
