"""The API of tickets."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.core.db import ReaderDep, SessionDep
from app.core.idempotency import IdempotencyDep
from app.core.principal import Principal, principal_of
from app.services import Services
from app.triage import repository, service
from app.triage.feed import Feed
from app.triage.models import Draft, Feedback, Status, Ticket
from app.triage.priority import Priority
from app.triage.repository import Filters
from app.triage.schemas import (
    Accepted,
    DraftView,
    FeedbackView,
    NewFeedback,
    NewTicket,
    TicketPage,
    TicketSummary,
    TicketView,
)
from app.triage.streams import Snapshot, snapshot, watch

router = APIRouter(prefix="/tickets", tags=["tickets"])


def services_of(request: Request) -> Services:
    return request.app.state.services


def feed_of(request: Request) -> Feed:
    return request.app.state.triage_feed


ServicesDep = Annotated[Services, Depends(services_of)]
FeedDep = Annotated[Feed, Depends(feed_of)]
Reader = Annotated[Principal, Security(principal_of, scopes=["tickets:read"])]
Writer = Annotated[Principal, Security(principal_of, scopes=["tickets:write"])]


@router.post("", status_code=202, response_model=Accepted)
async def create_ticket(
    new: NewTicket, session: SessionDep, principal: Writer, idempotency: IdempotencyDep
):
    """File a ticket. It is stored at once; classification and draft follow within seconds."""

    async def create() -> Accepted:
        ticket = await service.accept(session, principal.tenant, new, source="api")
        url = f"/tickets/{ticket.id}"
        return Accepted(id=ticket.id, status=ticket.status, url=url, events_url=f"{url}/events")

    return await idempotency.once(202, create)


@router.get("")
async def list_tickets(
    session: ReaderDep,
    principal: Reader,
    status: Status | None = None,
    team: Annotated[str | None, Query(max_length=32)] = None,
    priority: Priority | None = None,
    customer_id: Annotated[str | None, Query(max_length=64)] = None,
    unsure: bool | None = None,
    order: repository.Order = "newest",
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> TicketPage:
    """List tickets: newest first, or most urgent and longest waiting first."""
    filters = Filters(
        status=status, team=team, priority=priority, customer_id=customer_id, unsure=unsure
    )
    tickets, next_cursor = await repository.page(
        session, principal.tenant, filters, order=order, cursor=cursor, limit=limit
    )
    items = [TicketSummary.model_validate(ticket) for ticket in tickets]
    return TicketPage(items=items, next_cursor=next_cursor)


@router.get("/{ticket_id}")
async def read_ticket(ticket_id: str, session: ReaderDep, principal: Reader) -> TicketView:
    """Read a ticket with its draft and feedback. Personal data stays masked."""
    ticket = await repository.ticket(session, principal.tenant, ticket_id)
    draft = await repository.draft(session, principal.tenant, ticket_id)
    feedback = await repository.feedback(session, principal.tenant, ticket_id)
    return view_of(ticket, draft, feedback)


@router.post("/{ticket_id}/feedback", status_code=201, response_model=FeedbackView)
async def give_feedback(
    ticket_id: str,
    new: NewFeedback,
    session: SessionDep,
    principal: Writer,
    idempotency: IdempotencyDep,
):
    """Accept, edit or reject the draft. Closes the ticket."""

    async def create() -> FeedbackView:
        feedback = await service.give_feedback(session, principal, ticket_id, new)
        return FeedbackView.model_validate(feedback)

    return await idempotency.once(201, create)


async def known_ticket(ticket_id: str, services: ServicesDep, principal: Reader) -> Snapshot:
    # Before the stream opens: an error can still become a status.
    return await snapshot(services, principal, ticket_id)


@router.get(
    "/{ticket_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(known_ticket)],
)
async def follow_ticket(
    ticket_id: str, services: ServicesDep, feed: FeedDep, principal: Reader
) -> AsyncIterator[ServerSentEvent]:
    """Follow a ticket: `status` at each change, `draft` for each new piece, `done` at the end.

    A `draft` event with `offset` 0 starts the text anew: the writing was taken over by another
    worker.
    """
    attempt, sent, last = 0, "", None
    async for current in watch(services, feed, principal, ticket_id):
        if current is None:
            yield ServerSentEvent(comment="quiet")
            continue
        summary = TicketSummary.model_validate(current.ticket).model_dump(
            mode="json", exclude={"masked_text", "updated_at"}
        )
        if summary != last:
            last = summary
            yield ServerSentEvent(event="status", data=summary)
        draft = current.draft
        if draft is not None and draft.text != sent:
            if draft.attempt != attempt or not draft.text.startswith(sent):
                attempt, sent = draft.attempt, ""
            piece = {"offset": len(sent), "text": draft.text[len(sent) :]}
            sent = draft.text
            yield ServerSentEvent(event="draft", data=piece)
        if current.is_final:
            view = view_of(current.ticket, draft, None)
            yield ServerSentEvent(event="done", data=view.model_dump(mode="json"))


def view_of(ticket: Ticket, draft: Draft | None, feedback: Feedback | None) -> TicketView:
    """Put a ticket's parts together."""
    return TicketView(
        **TicketSummary.model_validate(ticket).model_dump(),
        draft=DraftView.model_validate(draft) if draft else None,
        feedback=FeedbackView.model_validate(feedback) if feedback else None,
    )
