"""How many sign-in attempts each handle has left."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create sign_in_attempts."""
    op.create_table(
        "sign_in_attempts",
        sa.Column("handle", sa.String(64), primary_key=True),
        sa.Column("free_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_sign_in_attempts_free_at", "sign_in_attempts", ["free_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_sign_in_attempts_free_at", "sign_in_attempts")
    op.drop_table("sign_in_attempts")
