"""First version: items, their details, counters and comments, and what viewers did with them."""

import sqlalchemy as sa
from alembic import op

from core_services.kit.migrations.tables import create_kit_tables, drop_kit_tables

revision = "content_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    create_kit_tables()
    _create_items()
    _create_parts_of_items()
    _create_comments()
    _create_viewers_rows()


def downgrade() -> None:
    """Drop everything, children first; indices go with their tables."""
    for table in (
        "progress",
        "saved",
        "followed_topics",
        "comments",
        "item_stats",
        "collection_entries",
        "item_details",
        "items",
    ):
        op.drop_table(table)
    drop_kit_tables()


def _create_items() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text),
        sa.Column("author_id", sa.String(64), nullable=False),
        sa.Column("image_json", sa.Text),
        sa.Column("topics_json", sa.Text, nullable=False),
        sa.Column("main_topic", sa.String(40), nullable=False),
        sa.Column("topic_position", sa.Integer, nullable=False),
        sa.Column("reach", sa.SmallInteger, nullable=False),
        sa.Column("published_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("reading_minutes", sa.Integer),
        sa.Column("word_count", sa.Integer),
        sa.Column("duration_s", sa.Integer),
        sa.Column("captions_json", sa.Text),
        sa.Column("item_count", sa.Integer),
        sa.CheckConstraint("kind IN ('article', 'video', 'collection')", name="items_kind"),
    )
    op.create_index("items_newest", "items", ["published_at", "id"])
    op.create_index("items_of_topic", "items", ["main_topic", "topic_position"], unique=True)


def _create_parts_of_items() -> None:
    op.create_table(
        "item_details",
        _item_id(primary_key=True),
        sa.Column("detail_json", sa.Text, nullable=False),
    )
    op.create_table(
        "collection_entries",
        _item_id("collection_id", primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        _item_id(nullable=False),
    )
    op.create_index("collection_entries_of_item", "collection_entries", ["item_id"])
    op.create_table(
        "item_stats",
        _item_id(primary_key=True),
        sa.Column("views", sa.BigInteger, nullable=False),
        sa.Column("likes", sa.BigInteger, nullable=False),
        sa.Column("comments", sa.BigInteger, nullable=False),
        sa.Column("shares", sa.BigInteger, nullable=False),
    )


def _create_comments() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.String(64), primary_key=True),
        _item_id(nullable=False),
        sa.Column("author_id", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("like_count", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("comments_newest", "comments", ["item_id", "created_at", "id"])


def _create_viewers_rows() -> None:
    op.create_table(
        "followed_topics",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("topic", sa.String(40), primary_key=True),
    )
    op.create_table(
        "saved",
        sa.Column("account_id", sa.String(64), primary_key=True),
        _item_id(primary_key=True),
        sa.Column("saved_at", sa.BigInteger),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("saved_newest", "saved", ["account_id", "saved_at", "item_id"])
    op.create_index("saved_of_item", "saved", ["item_id"])
    op.create_table(
        "progress",
        sa.Column("account_id", sa.String(64), primary_key=True),
        _item_id(primary_key=True),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("position_s", sa.Integer),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("fraction >= 0 AND fraction <= 1", name="progress_fraction"),
    )
    op.create_index("progress_newest", "progress", ["account_id", "updated_at", "item_id"])
    op.create_index("progress_of_item", "progress", ["item_id"])


def _item_id(
    name: str = "item_id", *, primary_key: bool = False, nullable: bool = True
) -> sa.Column[str]:
    """A column that goes when its item goes."""
    return sa.Column(
        name,
        sa.String(64),
        sa.ForeignKey("items.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=nullable and not primary_key,
    )
