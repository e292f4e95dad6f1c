"""Deliveries that were handled, and events put aside."""

from datetime import datetime

from sqlalchemy import LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


class Delivery(Base):
    """A webhook that was handled. Its row is what makes a repeated one a duplicate."""

    __tablename__ = "webhook_deliveries"

    tenant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(String(256), primary_key=True)
    type: Mapped[str] = mapped_column(String(128))
    received_at: Mapped[datetime] = mapped_column(index=True)


class Quarantined(Base):
    """A signed event that no handler may see as it is: the body, byte for byte, and why.

    Once it was replayed `handled_at` is set and the body, which may be personal, is gone.
    """

    __tablename__ = "webhook_quarantine"
    __table_args__ = (UniqueConstraint("tenant_id", "source", "webhook_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(64))
    webhook_id: Mapped[str] = mapped_column(String(256))
    kind: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(1000))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
