"""Queries of triage. Every one is bound to a tenant."""

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Update, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import utcnow
from app.core.problems import AppError
from app.triage.models import CLOSED, OPEN, Draft, Feedback, Status, Ticket
from app.triage.priority import Priority

Order = Literal["newest", "urgent"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What to list; None means any. `state` is the inbox's division into open and done."""

    state: Literal["open", "done"] | None = None
    status: Status | None = None
    team: str | None = None
    priority: Priority | None = None
    customer_id: str | None = None
    unsure: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(Ticket.status.in_(OPEN if self.state == "open" else CLOSED))
        if self.status is not None:
            found.append(Ticket.status == self.status)
        if self.team is not None:
            found.append(Ticket.team == self.team)
        if self.priority is not None:
            found.append(Ticket.priority == self.priority)
        if self.customer_id is not None:
            found.append(Ticket.customer_id == self.customer_id)
        if self.unsure is not None:
            found.append(Ticket.is_unsure == self.unsure)
        return found


async def page(
    session: AsyncSession,
    tenant: str,
    filters: Filters,
    *,
    order: Order = "newest",
    cursor: str | None = None,
    limit: int,
) -> tuple[Sequence[Ticket], str | None]:
    """Return up to `limit` tickets and the cursor of the next page, None on the last.

    "urgent" is the order of work: most pressing first, then who has waited longest.
    Raises AppError 422 for a cursor that was not made here.
    """
    statement = select(Ticket).where(Ticket.tenant_id == tenant, *filters.conditions())
    if cursor is not None:
        statement = statement.where(_after(order, cursor))
    statement = _ordered(statement, order).limit(limit + 1)
    tickets = (await session.scalars(statement)).all()
    if len(tickets) <= limit:
        return tickets, None
    last = tickets[limit - 1]
    return tickets[:limit], _cursor(order, last)


def _ordered(statement: Select[Ticket], order: Order) -> Select[Ticket]:
    if order == "urgent":
        return statement.order_by(Ticket.priority_rank, Ticket.created_at, Ticket.id)
    return statement.order_by(Ticket.created_at.desc(), Ticket.id.desc())


def _cursor(order: Order, ticket: Ticket) -> str:
    place = [order, ticket.priority_rank, ticket.created_at.isoformat(), ticket.id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _after(order: Order, cursor: str) -> ColumnElement[bool]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_for, rank, moment, id_ = json.loads(raw)
        created_at = datetime.fromisoformat(moment)
        if made_for != order or not isinstance(rank, int) or not isinstance(id_, str):
            raise ValueError(made_for)
        if created_at.tzinfo is None:
            raise ValueError(moment)
    except (binascii.Error, ValueError, TypeError):
        raise AppError(
            422, "Invalid cursor", "Use `next_cursor` of the page before, with the same order."
        ) from None
    if order == "urgent":
        later = or_(
            Ticket.created_at > created_at, and_(Ticket.created_at == created_at, Ticket.id > id_)
        )
        return or_(Ticket.priority_rank > rank, and_(Ticket.priority_rank == rank, later))
    earlier = and_(Ticket.created_at == created_at, Ticket.id < id_)
    return or_(Ticket.created_at < created_at, earlier)


async def ticket(session: AsyncSession, tenant: str, ticket_id: str) -> Ticket:
    """Return a ticket of the tenant. Raises AppError 404."""
    found = await session.scalar(
        select(Ticket).where(Ticket.id == ticket_id, Ticket.tenant_id == tenant)
    )
    if found is None:
        raise AppError(404, "No such ticket", "There is no ticket with this id.", id=ticket_id)
    return found


async def by_external_id(
    session: AsyncSession, tenant: str, source: str, external_id: str
) -> Ticket | None:
    """Return the ticket that the sender knows by `external_id`."""
    return await session.scalar(
        select(Ticket).where(
            Ticket.tenant_id == tenant,
            Ticket.source == source,
            Ticket.external_id == external_id,
        )
    )


async def draft(session: AsyncSession, tenant: str, ticket_id: str) -> Draft | None:
    return await session.scalar(
        select(Draft).where(Draft.ticket_id == ticket_id, Draft.tenant_id == tenant)
    )


async def feedback(session: AsyncSession, tenant: str, ticket_id: str) -> Feedback | None:
    return await session.scalar(
        select(Feedback).where(Feedback.ticket_id == ticket_id, Feedback.tenant_id == tenant)
    )


async def write_draft(session: AsyncSession, ticket_id: str, attempt: int, **values: Any) -> bool:
    """Change the draft that `attempt` is writing. False when another took over."""
    written = await session.scalar(
        update(Draft)
        .where(Draft.ticket_id == ticket_id, Draft.attempt == attempt, Draft.state == "writing")
        .values(updated_at=utcnow(), **values)
        .returning(Draft.ticket_id)
    )
    if written is None:
        return False
    await touch(session, ticket_id)
    return True


async def touch(session: AsyncSession, ticket_id: str, **values: Any) -> None:
    """Note a change of the ticket, so that open pages hear of it."""
    await session.execute(
        update(Ticket).where(Ticket.id == ticket_id).values(updated_at=utcnow(), **values)
    )


async def counts(session: AsyncSession, tenant: str) -> dict[str, int]:
    """Return the number of open tickets by status, with `urgent` and `unsure` across them."""
    rows = await session.execute(
        select(
            Ticket.status,
            func.count(),
            func.count().filter(Ticket.priority == "urgent"),
            func.count().filter(Ticket.is_unsure),
        )
        .where(Ticket.tenant_id == tenant, Ticket.status.in_(OPEN))
        .group_by(Ticket.status)
    )
    result = dict.fromkeys((*OPEN, "open", "urgent", "unsure"), 0)
    for status, count, urgent, unsure in rows:
        result[status] = count
        result["open"] += count
        result["urgent"] += urgent
        result["unsure"] += unsure
    return result


async def changed_since(
    session: AsyncSession, moment: datetime, limit: int
) -> Sequence[tuple[str, str, datetime]]:
    """Return (tenant, ticket id, time) of tickets that changed at `moment` or later."""
    rows = await session.execute(
        select(Ticket.tenant_id, Ticket.id, Ticket.updated_at)
        .where(Ticket.updated_at >= moment)
        .order_by(Ticket.updated_at)
        .limit(limit)
    )
    return [(tenant, ticket_id, updated_at) for tenant, ticket_id, updated_at in rows]


async def neighbours(
    session: AsyncSession, tenant: str, current: Ticket, statuses: Collection[Status] = OPEN
) -> tuple[str | None, str | None]:
    """Return the ids of the open tickets that stand before and after `current`, newest first."""
    base = select(Ticket.id).where(Ticket.tenant_id == tenant, Ticket.status.in_(statuses))
    newer = or_(
        Ticket.created_at > current.created_at,
        and_(Ticket.created_at == current.created_at, Ticket.id > current.id),
    )
    older = or_(
        Ticket.created_at < current.created_at,
        and_(Ticket.created_at == current.created_at, Ticket.id < current.id),
    )
    before = await session.scalar(base.where(newer).order_by(Ticket.created_at, Ticket.id).limit(1))
    after = await session.scalar(
        base.where(older).order_by(Ticket.created_at.desc(), Ticket.id.desc()).limit(1)
    )
    return before, after


def outdated(now: datetime, days: float) -> Update:
    """Leaves of a ticket that ended so many days ago what is masked, and nothing else."""
    is_old = Ticket.updated_at < now - timedelta(days=days)
    is_whole = Ticket.text != Ticket.masked_text
    return (
        update(Ticket)
        .where(Ticket.status.in_(CLOSED), is_old, is_whole)
        .values(text=Ticket.masked_text)
    )
