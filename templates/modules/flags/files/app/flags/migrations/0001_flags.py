"""Exposures to experiments"""

import sqlalchemy as sa
from alembic import op

revision = "flags_0001"
down_revision = None
branch_labels = ("flags",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flag_exposures",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("experiment", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("flag", sa.String(64), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "experiment", "subject", "variant", name=op.f("pk_flag_exposures")
        ),
    )
    op.create_index(op.f("ix_flag_exposures_experiment"), "flag_exposures", ["experiment"])


def downgrade() -> None:
    op.drop_table("flag_exposures")
