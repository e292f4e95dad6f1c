"""Tables of the gateway."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


class BudgetDay(Base):
    """What a tenant used of its budget on one UTC day."""

    __tablename__ = "ai_budget_days"

    tenant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-11-21
    tokens: Mapped[int] = mapped_column(BigInteger)
    micro_usd: Mapped[int] = mapped_column(BigInteger)  # millionths of a US dollar
