"""The queue's table."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base

State = Literal["ready", "running", "done", "dead"]


class Job(Base):
    """One call of a task: waiting, being worked on, done, or given up.

    `turn` orders a queue fairly: each tenant's next job comes one turn after its last.
    `lease_token` names the claim that holds the job: without it a worker can change nothing.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "queue", "state", "turn", "run_at"),
        Index(None, "tenant_id", "queue", "state", "turn"),
        Index(None, "state", "finished_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(128))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    correlation_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(8))
    turn: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    run_at: Mapped[datetime]
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
