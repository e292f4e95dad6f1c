"""The rules of triage: how a ticket comes in, and what a person may do with its draft."""

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from app.ai import pii
from app.core.db import utcnow
from app.core.principal import Principal
from app.core.problems import AppError
from app.triage import repository
from app.triage.classification import classify_as
from app.triage.edits import edit_distance
from app.triage.intents import table
from app.triage.models import Draft, Feedback, Status, Ticket
from app.triage.priority import rank_of
from app.triage.schemas import NewFeedback, NewTicket
from app.triage.settings import TriageSettings
from app.triage.tasks import process

_RESULT: dict[str, Status] = {"accept": "answered", "edit": "answered", "reject": "rejected"}


async def accept(
    session: AsyncSession,
    tenant: str,
    new: NewTicket,
    *,
    source: str,
    external_id: str | None = None,
) -> Ticket:
    """Store a ticket and queue its triage, both in this transaction.

    A ticket that `source` sent before under the same `external_id` is returned as it is.
    Raises AppError 503 when the queue is full.
    """
    if external_id is not None:
        known = await repository.by_external_id(session, tenant, source, external_id)
        if known is not None:
            return known
    now = utcnow()
    ticket = Ticket(
        id=uuid.uuid4().hex,
        tenant_id=tenant,
        source=source,
        external_id=external_id,
        customer_id=new.customer_id,
        text=new.text,
        masked_text=pii.mask(new.text).text,
        status="received",
        # Unknown yet: it waits among the normal ones.
        priority_rank=rank_of("normal"),
        is_unsure=False,
        created_at=now,
        updated_at=now,
    )
    session.add(ticket)
    await session.flush()
    await process.enqueue(ticket_id=ticket.id)
    return ticket


async def give_feedback(
    session: AsyncSession, principal: Principal, ticket_id: str, new: NewFeedback
) -> Feedback:
    """Keep what a person decided, and close the ticket.

    Raises AppError 404 without such a ticket, 409 when it is closed or its draft is not ready, and
    422 for an unknown intent.
    """
    ticket = await repository.ticket(session, principal.tenant, ticket_id)
    draft = await repository.draft(session, principal.tenant, ticket_id)
    _check(ticket, draft, new)
    predicted = ticket.intent
    drafted = draft.text if draft else ""
    final = _final_text(drafted, new)
    distance, share = edit_distance(drafted, final) if final is not None else (0, 0.0)
    if new.intent is not None:
        classify_as(ticket, new.intent)
    feedback = Feedback(
        ticket_id=ticket.id,
        tenant_id=principal.tenant,
        decision=new.decision,
        intent=ticket.intent,
        predicted_intent=predicted,
        final_text=final,
        reason=pii.mask(new.reason).text if new.reason else None,
        edit_distance=distance,
        edit_share=share,
        given_by=principal.subject,
        created_at=utcnow(),
    )
    session.add(feedback)
    ticket.status = _RESULT[new.decision]
    ticket.updated_at = utcnow()
    await session.flush()
    return feedback


def _check(ticket: Ticket, draft: Draft | None, new: NewFeedback) -> None:
    if ticket.status in _RESULT.values():
        raise AppError(409, "Already decided", "Somebody has dealt with this ticket already.")
    has_draft = draft is not None and draft.state == "done"
    if ticket.status not in ("ready", "failed") or (new.decision == "accept" and not has_draft):
        raise AppError(
            409, "No draft yet", "The draft is still being written. Wait until it is complete."
        )
    if new.intent is not None and new.intent not in table().intents:
        raise AppError(422, "Unknown intent", "See app/triage/intents.yaml for those there are.")


def _final_text(drafted: str, new: NewFeedback) -> str | None:
    """The answer that goes out, masked; None when the draft was rejected."""
    if new.decision == "reject":
        return None
    if new.text is None:
        return drafted  # masked when it was written
    masked = pii.mask(new.text)
    # Below "Kind regards" our own name looks like a person's.
    organisation = TriageSettings().organisation
    ours = {key: found for key, found in masked.vault.items() if found == organisation}
    return pii.unmask(masked.text, ours)
