"""The tables of the accounts service; every query's index is declared beside its columns."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from core_services.kit.tables import UtcTime

ACCOUNT_TABLES = MetaData()

accounts = Table(
    "accounts",
    ACCOUNT_TABLES,
    Column("id", String(64), primary_key=True),
    Column("handle", String(64), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("display_name", String(80), nullable=False),
    Column("bio", String(500)),
    Column("email", String(254), nullable=False),
    Column("phone", String(32)),
    Column("locale", String(16), nullable=False),
    # A Media record as JSON text: it goes out as it is, so nothing here ever parses it.
    Column("avatar", Text),
    Column("verified", Boolean, nullable=False),
    Column("follower_count", Integer, nullable=False),
    Column("following_count", Integer, nullable=False),
    Column("joined_at", UtcTime, nullable=False),
    Column("revocation_epoch", Integer, nullable=False),
    Column("epoch_moved_at", UtcTime),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_accounts_handle", "handle", unique=True),
    Index("ix_accounts_epoch_moved_at", "epoch_moved_at"),
)

addresses = Table(
    "addresses",
    ACCOUNT_TABLES,
    Column("id", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("label", String(40), nullable=False),
    Column("line1", String(120), nullable=False),
    Column("line2", String(120)),
    Column("city", String(80), nullable=False),
    Column("postcode", String(16), nullable=False),
    Column("country", String(2), nullable=False),
    Column("state", String(24), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_addresses_account_id", "account_id", "id"),
)

# One installation may serve several accounts in turn: a device is one account's view of it.
devices = Table(
    "devices",
    ACCOUNT_TABLES,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("platform", String(16), nullable=False),
    Column("model", String(80), nullable=False),
    Column("name", String(80), nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_devices_last_seen", "account_id", "last_seen_at", "id"),
)

# GCRA: the instant at which everything charged so far is forgotten, in milliseconds since 1970.
sign_in_attempts = Table(
    "sign_in_attempts",
    ACCOUNT_TABLES,
    Column("handle", String(64), primary_key=True),  # its sha256
    Column("free_at", BigInteger, nullable=False),
    Index("ix_sign_in_attempts_free_at", "free_at"),
)

sessions = Table(
    "sessions",
    ACCOUNT_TABLES,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), nullable=False),
    Column("device_id", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    ForeignKeyConstraint(
        ["account_id", "device_id"], ["devices.account_id", "devices.id"], ondelete="CASCADE"
    ),
    Index("ix_sessions_device", "account_id", "device_id"),
)
