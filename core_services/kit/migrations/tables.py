"""The migration steps of the kit's own tables, for the first version of each service."""

import sqlalchemy as sa
from alembic import op

from core_services.kit.tables import UtcTime


def create_kit_tables() -> None:
    """Create idempotency_keys and revision_counters as of the first version."""
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("operation", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "revision_counters",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
    )


def drop_kit_tables() -> None:
    """Take `create_kit_tables` back."""
    op.drop_table("revision_counters")
    op.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")
    op.drop_table("idempotency_keys")
