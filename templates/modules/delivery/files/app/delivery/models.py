"""Where each rollout stands, and copies for a shadow. What happened is in the audit."""

from datetime import datetime
from typing import Literal

from sqlalchemy import JSON, Index, String
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


class ShadowCopy(Base):
    """What was asked and answered, and what a candidate would have answered to it.

    `asked` is masked, and emptied once the candidate has answered.
    """

    __tablename__ = "shadow_copies"
    __table_args__ = (Index(None, "candidate", "created_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    request_class: Mapped[str] = mapped_column(String(64))
    candidate: Mapped[str] = mapped_column(String(64))
    asked: Mapped[dict | None] = mapped_column(JSON(none_as_null=True))
    real: Mapped[dict] = mapped_column(JSON)
    shadow: Mapped[dict | None] = mapped_column(JSON(none_as_null=True))
