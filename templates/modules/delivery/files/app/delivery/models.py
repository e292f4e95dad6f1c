"""Where each rollout stands. What happened to it, and who did what, is in the audit."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base
from app.delivery.rollout import Kind

State = Literal["going", "paused", "taking_back", "promoted", "rolled_back", "left"]


class RolloutRow(Base):
    """`going` and `paused` may become anything; `taking_back` only `rolled_back`.

    `left`: somebody changed the flag by hand, and the rollout keeps its hands off.
    """

    __tablename__ = "rollouts"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(String(16))
    candidate: Mapped[str] = mapped_column(String(64))
    baseline: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(16))
    stage: Mapped[int]
    stage_since: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))
    started_by: Mapped[str] = mapped_column(String(128))
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def name(self) -> str:
        """Its name in the audit, and of its experiment."""
        return f"rollout-{self.id}"


OPEN: tuple[State, ...] = ("going", "paused", "taking_back")
