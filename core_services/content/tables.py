"""The tables of content, and the index behind each query; the queries themselves are in `store`.

Times are whole milliseconds since 1970 (UTC): the same integer in SQLite and PostgreSQL, exact in
a cursor, and what the wire shows. Columns named `*_json` hold JSON text that is passed on unparsed.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

REACH_FOLLOWERS, REACH_EVERYONE, REACH_POPULAR = 0, 1, 2
"""Who is shown an item unasked: followers of its topic; everyone; everyone, because it is liked."""

items = Table(
    "items",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text),
    Column("author_id", String(64), nullable=False),
    Column("image_json", Text),
    Column("topics_json", Text, nullable=False),
    Column("main_topic", String(40), nullable=False),
    # Append-only number within the topic: neighbours are a range of it, whatever the topic's size.
    Column("topic_position", Integer, nullable=False),
    Column("reach", SmallInteger, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("reading_minutes", Integer),
    Column("word_count", Integer),
    Column("duration_s", Integer),
    Column("captions_json", Text),
    Column("item_count", Integer),
    CheckConstraint("kind IN ('article', 'video', 'collection')", name="items_kind"),
    Index("items_newest", "published_at", "id"),
    Index("items_of_topic", "main_topic", "topic_position", unique=True),
)

item_details = Table(
    "item_details",
    metadata,
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    # Paragraphs of an article or renditions of a video: long, so kept out of the rows of lists.
    Column("detail_json", Text, nullable=False),
)

collection_entries = Table(
    "collection_entries",
    metadata,
    Column(
        "collection_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("position", Integer, primary_key=True),
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), nullable=False),
    Index("collection_entries_of_item", "item_id"),
)

item_stats = Table(
    "item_stats",
    metadata,
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    Column("views", BigInteger, nullable=False),
    Column("likes", BigInteger, nullable=False),
    Column("comments", BigInteger, nullable=False),
    Column("shares", BigInteger, nullable=False),
)

comments = Table(
    "comments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), nullable=False),
    Column("author_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("like_count", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("comments_newest", "item_id", "created_at", "id"),
)

followed_topics = Table(
    "followed_topics",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("topic", String(40), primary_key=True),
)

saved = Table(
    "saved",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    # Null once unsaved: the row stays, so that its revision can be told to other devices.
    Column("saved_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("saved_newest", "account_id", "saved_at", "item_id"),
    Index("saved_of_item", "item_id"),
)

progress = Table(
    "progress",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("item_id", String(64), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    Column("fraction", Float, nullable=False),
    Column("position_s", Integer),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint("fraction >= 0 AND fraction <= 1", name="progress_fraction"),
    Index("progress_newest", "account_id", "updated_at", "item_id"),
    Index("progress_of_item", "item_id"),
)
