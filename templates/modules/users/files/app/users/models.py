"""Tables of tenants and of who may do what in them."""

from datetime import datetime, timedelta

from sqlalchemy import JSON, ForeignKey, Index, String, delete
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.auth.models import Account
from app.core.db import Base
from app.core.retention import Outdated


class Tenant(Base):
    """A customer. `tier` is the contract's, of limits.yaml."""

    __tablename__ = "users_tenants"

    tenant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    tier: Mapped[str] = mapped_column(String(32))
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Member(Base):
    """A person in a tenant. Who is in several works in the one that was chosen last."""

    __tablename__ = "users_members"
    __table_args__ = (Index(None, "account_id"),)

    tenant_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("users_tenants.tenant_id"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("auth_accounts.id", ondelete="CASCADE"), primary_key=True
    )
    account: Mapped[Account] = relationship(lazy="joined")
    tenant: Mapped[Tenant] = relationship(lazy="joined")
    roles: Mapped[list] = mapped_column(JSON)
    suspended_at: Mapped[datetime | None]
    chosen_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Invitation(Base):
    """A link that makes whoever signs in with it a member, once. Only its hash is here."""

    __tablename__ = "users_invitations"
    __table_args__ = (Index(None, "tenant_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64), ForeignKey("users_tenants.tenant_id"))
    tenant: Mapped[Tenant] = relationship(lazy="joined")
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list] = mapped_column(JSON)
    invited_by: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A key of a tenant for its programs. Only its hash is here."""

    __tablename__ = "users_keys"
    __table_args__ = (Index(None, "tenant_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64), ForeignKey("users_tenants.tenant_id"))
    tenant: Mapped[Tenant] = relationship(lazy="joined")
    hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Mapping(Base):
    """What a provider says, made a role here: whoever has the group has the role."""

    __tablename__ = "users_mappings"
    __table_args__ = (Index(None, "issuer", "group"),)

    tenant_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("users_tenants.tenant_id"), primary_key=True
    )
    tenant: Mapped[Tenant] = relationship(lazy="joined")
    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    group: Mapped[str] = mapped_column(String(255), primary_key=True)
    role: Mapped[str] = mapped_column(String(64), primary_key=True)


class Client(Base):
    """A program that the provider knows (client credentials), and what it is here."""

    __tablename__ = "users_clients"
    __table_args__ = (Index(None, "tenant_id"),)

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64), ForeignKey("users_tenants.tenant_id"))
    tenant: Mapped[Tenant] = relationship(lazy="joined")
    roles: Mapped[list] = mapped_column(JSON)


# The audit still tells of them. A key is shown as expired for a while, so that nobody wonders.
_KEY_SHOWN = timedelta(days=30)
OUTDATED: list[Outdated] = [
    lambda now: delete(Invitation).where(Invitation.expires_at < now),
    lambda now: delete(ApiKey).where(ApiKey.expires_at < now - _KEY_SHOWN),
]
