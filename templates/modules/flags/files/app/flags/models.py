"""Tables of flags. Flags are the installation's and not a tenant's: a change has no tenant."""

from datetime import datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


class FlagChange(Base):
    """Who changed a flag, when, from what to what, and why. The database refuses to alter a row."""

    __tablename__ = "flag_changes"
    __table_args__ = (Index(None, "flag", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(128))
    flag: Mapped[str] = mapped_column(String(64))
    before: Mapped[dict] = mapped_column(JSON)
    after: Mapped[dict] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500))


class FlagExposure(Base):
    """Somebody, or something such as a ticket, got a variant while an experiment ran."""

    __tablename__ = "flag_exposures"
    __table_args__ = (Index(None, "experiment"),)

    tenant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    experiment: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    variant: Mapped[str] = mapped_column(String(64), primary_key=True)
    flag: Mapped[str] = mapped_column(String(64))
    first_at: Mapped[datetime]
