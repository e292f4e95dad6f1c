"""Changes of flags, exposures to experiments"""

import sqlalchemy as sa
from alembic import op

revision = "flags_0001"
down_revision = None
branch_labels = ("flags",)
depends_on = None

# The audit only grows, whoever writes to it.
_APPEND_ONLY = {
    "sqlite": [
        f"create trigger flag_changes_no_{verb} before {verb} on flag_changes "
        "begin select raise(abort, 'flag_changes is append-only'); end"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "create function flag_changes_refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'flag_changes is append-only'; end $$",
        "create trigger flag_changes_append_only before update or delete or truncate "
        "on flag_changes for each statement execute function flag_changes_refuse()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "flag_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(128), nullable=False),
        sa.Column("flag", sa.String(64), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_changes")),
    )
    op.create_index(op.f("ix_flag_changes_flag_id"), "flag_changes", ["flag", "id"])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
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
    op.drop_table("flag_changes")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function flag_changes_refuse()")
