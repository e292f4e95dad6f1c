"""Tenants, people and keys"""

import sqlalchemy as sa
from alembic import op

revision = "users_0001"
down_revision = None
branch_labels = ("users",)
depends_on = "auth_0001"


def upgrade() -> None:
    op.create_table(
        "users_tenants",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("tier", sa.String(length=32), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_users_tenants")),
    )
    op.create_table(
        "users_clients",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["users_tenants.tenant_id"],
            name=op.f("fk_users_clients_tenant_id_users_tenants"),
        ),
        sa.PrimaryKeyConstraint("issuer", "client_id", name=op.f("pk_users_clients")),
    )
    op.create_index(op.f("ix_users_clients_tenant_id"), "users_clients", ["tenant_id"])

    op.create_table(
        "users_invitations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("invited_by", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["users_tenants.tenant_id"],
            name=op.f("fk_users_invitations_tenant_id_users_tenants"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users_invitations")),
        sa.UniqueConstraint("hash", name=op.f("uq_users_invitations_hash")),
    )
    op.create_index(op.f("ix_users_invitations_tenant_id"), "users_invitations", ["tenant_id"])

    op.create_table(
        "users_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["users_tenants.tenant_id"],
            name=op.f("fk_users_keys_tenant_id_users_tenants"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users_keys")),
    )
    op.create_index(op.f("ix_users_keys_tenant_id"), "users_keys", ["tenant_id"])

    op.create_table(
        "users_mappings",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["users_tenants.tenant_id"],
            name=op.f("fk_users_mappings_tenant_id_users_tenants"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "issuer", "group", "role", name=op.f("pk_users_mappings")
        ),
    )
    op.create_index(op.f("ix_users_mappings_issuer_group"), "users_mappings", ["issuer", "group"])

    op.create_table(
        "users_members",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["auth_accounts.id"],
            name=op.f("fk_users_members_account_id_auth_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["users_tenants.tenant_id"],
            name=op.f("fk_users_members_tenant_id_users_tenants"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_users_members")),
    )
    op.create_index(op.f("ix_users_members_account_id"), "users_members", ["account_id"])


def downgrade() -> None:
    for name in ("members", "mappings", "keys", "invitations", "clients", "tenants"):
        op.drop_table(f"users_{name}")
