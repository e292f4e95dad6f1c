"""Tables of triage. `Ticket.text` is the only column that holds what a customer wrote unmasked."""

from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base
from app.triage.priority import Priority

Status = Literal["received", "working", "ready", "failed", "answered", "rejected"]
OPEN: tuple[Status, ...] = ("received", "working", "ready", "failed")
CLOSED: tuple[Status, ...] = ("answered", "rejected")
Decision = Literal["accept", "edit", "reject"]


class Customer(Base):
    """Who writes, under the number that the help desk knows them by; no personal data."""

    __tablename__ = "customers"

    tenant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    plan: Mapped[str] = mapped_column(String(16))
    since: Mapped[date]


class Ticket(Base):
    """One message of a customer, and what was found out about it.

    The classification's columns are empty until it is known. `is_unsure` asks a person to look:
    the model had doubts, and `intent` is its best guess.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        Index(None, "tenant_id", "created_at", "id"),
        Index(None, "tenant_id", "status", "created_at", "id"),
        Index(None, "tenant_id", "priority_rank", "created_at", "id"),
        Index(None, "tenant_id", "customer_id"),
        Index(None, "updated_at"),
        Index(None, "tenant_id", "source", "external_id", unique=True),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    external_id: Mapped[str | None] = mapped_column(String(128))
    customer_id: Mapped[str | None] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    masked_text: Mapped[str] = mapped_column(Text)
    status: Mapped[Status] = mapped_column(String(16))
    intent: Mapped[str | None] = mapped_column(String(64))
    family: Mapped[str | None] = mapped_column(String(32))
    team: Mapped[str | None] = mapped_column(String(32))
    priority: Mapped[Priority | None] = mapped_column(String(8))
    priority_rank: Mapped[int]
    confidence: Mapped[float | None] = mapped_column(Float)
    is_unsure: Mapped[bool] = mapped_column(default=False)
    route: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Draft(Base):
    """The answer written for a ticket; at most one, and masked.

    `attempt` fences off a writer that lost its turn. `citations` are {"number", "article_id",
    "title"}, for each [number] in the text.
    """

    __tablename__ = "drafts"

    ticket_id: Mapped[str] = mapped_column(
        ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True
    )
    tenant_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    state: Mapped[Literal["writing", "done"]] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    citations: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    findings: Mapped[list[str]] = mapped_column(JSON)
    model: Mapped[str | None] = mapped_column(String(128))
    route: Mapped[str | None] = mapped_column(String(16))
    prompt_hash: Mapped[str | None] = mapped_column(String(64))
    tokens_in: Mapped[int] = mapped_column(default=0)
    tokens_out: Mapped[int] = mapped_column(default=0)
    cost_usd: Mapped[float] = mapped_column(Float, default=0.0)
    latency_ms: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Feedback(Base):
    """What a person did with a draft; at most one per ticket. `final_text` is masked.

    `edit_distance` counts words inserted, removed or replaced; `edit_share` is that over the words
    of the longer text, from 0 (sent as drafted) to 1 (nothing kept).
    """

    __tablename__ = "feedback"
    __table_args__ = (Index(None, "tenant_id", "created_at"),)

    ticket_id: Mapped[str] = mapped_column(
        ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True
    )
    tenant_id: Mapped[str] = mapped_column(String(64))
    decision: Mapped[Decision] = mapped_column(String(8))
    intent: Mapped[str | None] = mapped_column(String(64))
    predicted_intent: Mapped[str | None] = mapped_column(String(64))
    final_text: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(String(500))
    edit_distance: Mapped[int]
    edit_share: Mapped[float] = mapped_column(Float)
    given_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
