"""The audit and its head, which only grow"""

import sqlalchemy as sa
from alembic import op

revision = "audit_0001"
down_revision = None
branch_labels = ("audit",)
depends_on = None

# Whoever writes SQL is refused, too; what gets past this is found by `app audit verify`.
_ONLY_GROWS = {
    "sqlite": [
        "create trigger audit_entries_no_update before update on audit_entries "
        "begin select raise(abort, 'the audit is append-only'); end",
        "create trigger audit_entries_no_delete before delete on audit_entries "
        "begin select raise(abort, 'the audit is append-only'); end",
        # REPLACE deletes without asking the trigger above.
        "create trigger audit_entries_in_order before insert on audit_entries "
        "when new.seq <> (select seq + 1 from audit_head) "
        "begin select raise(abort, 'the audit is append-only'); end",
        "create trigger audit_head_only_forward before update on audit_head "
        "when new.seq <> old.seq + 1 "
        "begin select raise(abort, 'the audit is append-only'); end",
        "create trigger audit_head_no_delete before delete on audit_head "
        "begin select raise(abort, 'the audit is append-only'); end",
        "create trigger audit_head_one before insert on audit_head "
        "begin select raise(abort, 'the audit is append-only'); end",
    ],
    "postgresql": [
        "create function audit_refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'the audit is append-only'; end $$",
        "create trigger audit_entries_append_only before update or delete or truncate "
        "on audit_entries for each statement execute function audit_refuse()",
        "create trigger audit_head_no_delete before insert or delete or truncate "
        "on audit_head for each statement execute function audit_refuse()",
        "create trigger audit_head_only_forward before update on audit_head "
        "for each row when (new.seq <> old.seq + 1) execute function audit_refuse()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_tenant_id_seq"), "audit_entries", ["tenant_id", "seq"])
    op.create_index(op.f("ix_audit_entries_target_seq"), "audit_entries", ["target", "seq"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])
    for statement in _ONLY_GROWS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_entries")
    op.drop_table("audit_head")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function audit_refuse()")
