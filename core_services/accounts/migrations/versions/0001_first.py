"""Accounts, addresses, devices, sessions, and the kit's own tables."""

import sqlalchemy as sa
from alembic import op

from core_services.kit.migrations.tables import create_kit_tables, drop_kit_tables
from core_services.kit.tables import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    create_kit_tables()
    _create_accounts()
    _create_addresses()
    _create_devices_and_sessions()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("display_name", sa.String(80), nullable=False),
        sa.Column("bio", sa.String(500)),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("phone", sa.String(32)),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("avatar", sa.Text),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("follower_count", sa.Integer, nullable=False),
        sa.Column("following_count", sa.Integer, nullable=False),
        sa.Column("joined_at", UtcTime, nullable=False),
        sa.Column("revocation_epoch", sa.Integer, nullable=False),
        sa.Column("epoch_moved_at", UtcTime),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
    )
    op.create_index("ix_accounts_handle", "accounts", ["handle"], unique=True)
    op.create_index("ix_accounts_epoch_moved_at", "accounts", ["epoch_moved_at"])


def _create_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column(
            "account_id",
            sa.String(64),
            sa.ForeignKey("accounts.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("line1", sa.String(120), nullable=False),
        sa.Column("line2", sa.String(120)),
        sa.Column("city", sa.String(80), nullable=False),
        sa.Column("postcode", sa.String(16), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
    )
    op.create_index("ix_addresses_account_id", "addresses", ["account_id", "id"])


def _create_devices_and_sessions() -> None:
    op.create_table(
        "devices",
        sa.Column(
            "account_id",
            sa.String(64),
            sa.ForeignKey("accounts.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("last_seen_at", UtcTime, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_index("ix_devices_last_seen", "devices", ["account_id", "last_seen_at", "id"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "device_id"], ["devices.account_id", "devices.id"], ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sessions_device", "sessions", ["account_id", "device_id"])


def downgrade() -> None:
    """Drop everything, children first."""
    for table in ("sessions", "devices", "addresses", "accounts"):
        op.drop_table(table)
    drop_kit_tables()
