"""Tables of flags."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


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
