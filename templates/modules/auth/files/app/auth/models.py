"""Tables of the login. What opens a door is kept as a hash; what must be sent again, encrypted."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, delete
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.db import Base
from app.core.retention import Outdated


class Account(Base):
    """A person or program as one issuer knows it: by `issuer` and `subject`, never by email."""

    __tablename__ = "auth_accounts"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[datetime]


class AppSession(Base):
    """Somebody is signed in, in one browser."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        Index(None, "account_id"),
        Index(None, "provider", "provider_session"),
        Index(None, "expires_at"),
    )

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[str] = mapped_column(ForeignKey("auth_accounts.id", ondelete="CASCADE"))
    account: Mapped[Account] = relationship(lazy="joined")
    roles: Mapped[list] = mapped_column(JSON)
    tier: Mapped[str] = mapped_column(String(32))
    acr: Mapped[str] = mapped_column(String(128))
    auth_time: Mapped[datetime]
    provider: Mapped[str] = mapped_column(String(32))
    provider_session: Mapped[str | None] = mapped_column(String(255))
    tokens: Mapped[str] = mapped_column(Text)
    fresh_until: Mapped[datetime | None]
    refreshing_until: Mapped[datetime | None]
    browser: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Flow(Base):
    """A login that has begun: what its callback must bring back, and from which browser."""

    __tablename__ = "auth_flows"
    __table_args__ = (Index(None, "expires_at"),)

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    provider: Mapped[str] = mapped_column(String(32))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    target: Mapped[str] = mapped_column(String(500))
    acr: Mapped[str | None] = mapped_column(String(128))
    max_age: Mapped[int | None]
    expires_at: Mapped[datetime]


class UsedToken(Base):
    """A token that counts once, until it would have expired anyway."""

    __tablename__ = "auth_used_tokens"
    __table_args__ = (Index(None, "expires_at"),)

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime]


class IssuerKey(Base):
    """A signing key of the development issuer. The newest signs; all are published."""

    __tablename__ = "auth_issuer_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    jwk: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[datetime]


class IssuerSession(Base):
    """Somebody is signed in at the development issuer, in one browser."""

    __tablename__ = "auth_issuer_sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    person: Mapped[str] = mapped_column(String(64))
    acr: Mapped[str] = mapped_column(String(128))
    auth_time: Mapped[datetime]
    expires_at: Mapped[datetime]


class IssuerGrant(Base):
    """What the development issuer granted once: a code, then refresh tokens one after another."""

    __tablename__ = "auth_issuer_grants"
    __table_args__ = (Index(None, "session_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(32))
    person: Mapped[str] = mapped_column(String(64))
    acr: Mapped[str] = mapped_column(String(128))
    auth_time: Mapped[datetime]
    scope: Mapped[str] = mapped_column(String(500))
    nonce: Mapped[str] = mapped_column(String(256))
    redirect_uri: Mapped[str] = mapped_column(String(500))
    challenge: Mapped[str] = mapped_column(String(128))
    secret_hash: Mapped[str] = mapped_column(String(64))
    is_code: Mapped[bool]
    secret_until: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


OUTDATED: list[Outdated] = [
    lambda now: delete(AppSession).where(AppSession.expires_at < now),
    lambda now: delete(Flow).where(Flow.expires_at < now),
    lambda now: delete(UsedToken).where(UsedToken.expires_at < now),
    lambda now: delete(IssuerSession).where(IssuerSession.expires_at < now),
    lambda now: delete(IssuerGrant).where(IssuerGrant.expires_at < now),
]
