"""From a stored ticket to a finished draft: what the worker does.

It may run twice for one ticket, even at the same time, because the queue redelivers what a silent
worker held. Each run takes the next attempt of the draft; an older one notices and stops.
"""

import time
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog

from app.ai.gateway import Completion
from app.core.db import utcnow
from app.core.flows import answered_by
from app.core.principal import Principal
from app.services import Services
from app.triage import repository
from app.triage.classification import classify_as
from app.triage.models import CLOSED, Draft, Ticket
from app.triage.settings import TriageSettings

log = structlog.get_logger(__name__)

# Request classes of models.yaml.
CLASSIFY = "triage.classify"
DRAFT = "triage.draft"
# The flow of slo.yaml: from the arrival of a ticket to its finished draft.
FLOW = "draft"


@dataclass(frozen=True, slots=True)
class _Work:
    """What a run needs to know of its ticket. `text` is masked."""

    ticket_id: str
    tenant: str
    text: str
    attempt: int
    created_at: datetime

    @property
    def principal(self) -> Principal:
        # The ticket, not "triage": percentages and experiments divide tickets.
        return Principal(self.tenant, self.ticket_id)


class _SupersededError(Exception):
    """Another run took the ticket over, or a person closed it."""


async def run(services: Services, ticket_id: str) -> None:
    """Classify the ticket and write its draft. Does nothing when that was done before.

    Raises whatever a model's failure raises, so that the queue tries again.
    """
    work = await _begin(services, ticket_id)
    if work is None:
        return
    try:
        intent = await _classify(services, work)
        completion = await _write(services, work, intent)
        await _finish(services, work, completion)
    except _SupersededError:
        log.info("triage_superseded", ticket_id=ticket_id, attempt=work.attempt)
        return
    services.flows.finished(FLOW, (utcnow() - work.created_at).total_seconds())
    log.info("triage_done", ticket_id=ticket_id, intent=intent, model=completion.model)


def draft_variables(text: str, intent: str) -> dict[str, object]:
    """What the prompt of a draft is compiled from; the articles are added by the gateway."""
    return {"text": text, "intent": intent, "organisation": TriageSettings().organisation}


async def fail(services: Services, ticket_id: str) -> None:
    """Note that triage was given up; a person answers without a draft."""
    async with services.database.session() as session:
        ticket = await session.get(Ticket, ticket_id)
        if ticket is not None and ticket.status in ("received", "working"):
            ticket.status = "failed"
            ticket.updated_at = utcnow()
            waited = (ticket.updated_at - ticket.created_at).total_seconds()
            answered_by.set(services.gateway.choose(Principal(ticket.tenant_id, ticket.id)).name)
            services.flows.finished(FLOW, waited, failed=True)


async def _begin(services: Services, ticket_id: str) -> _Work | None:
    """Take the ticket and the next attempt of its draft; None when there is nothing left to do."""
    async with services.database.session() as session:
        ticket = await session.get(Ticket, ticket_id)
        if ticket is None or ticket.status == "ready" or ticket.status in CLOSED:
            return None
        now = utcnow()
        draft = await session.get(Draft, ticket_id)
        if draft is None:
            draft = Draft(
                ticket_id=ticket.id, tenant_id=ticket.tenant_id, attempt=0, created_at=now
            )
            session.add(draft)
        draft.attempt += 1
        draft.state = "writing"
        draft.text = ""
        draft.citations = []
        draft.findings = []
        draft.updated_at = now
        ticket.status = "working"
        ticket.updated_at = now
        return _Work(
            ticket.id, ticket.tenant_id, ticket.masked_text, draft.attempt, ticket.created_at
        )


async def _classify(services: Services, work: _Work) -> str:
    result = await services.gateway.classify(CLASSIFY, work.text, principal=work.principal)
    async with services.database.session() as session:
        ticket = await session.get_one(Ticket, work.ticket_id)
        if ticket.status != "working":
            raise _SupersededError
        classify_as(ticket, result.label)
        ticket.confidence = result.confidence
        ticket.is_unsure = result.needs_person
        ticket.route = result.route
        ticket.updated_at = utcnow()
    return result.label


async def _write(services: Services, work: _Work, intent: str) -> Completion:
    """Stream the draft into its row, a few times a second and not at every piece."""
    interval = TriageSettings().draft_write_interval_s
    written, text = time.monotonic(), ""
    pieces = services.gateway.stream(
        DRAFT, draft_variables(work.text, intent), principal=work.principal
    )
    completion: Completion | None = None
    async for piece in pieces:
        if isinstance(piece, Completion):
            # Read on to the end all the same: only then does the gateway count it as a success.
            completion = piece
            continue
        text += piece
        if time.monotonic() - written >= interval:
            await _store(services, work, text=text)
            written = time.monotonic()
    if completion is None:
        raise RuntimeError("the gateway's stream ended without a completion")
    return completion


async def _finish(services: Services, work: _Work, completion: Completion) -> None:
    """Complete the draft and hand the ticket to a person, in one transaction."""
    async with services.database.session() as session:
        done = await repository.write_draft(
            session,
            work.ticket_id,
            work.attempt,
            state="done",
            text=completion.text,
            citations=[asdict(citation) for citation in completion.citations],
            findings=[finding.kind for finding in completion.findings],
            model=completion.model,
            route=completion.route,
            prompt_hash=completion.prompt_hash,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            cost_usd=completion.cost_usd,
            latency_ms=completion.latency_ms,
        )
        if not done:
            raise _SupersededError
        await repository.touch(session, work.ticket_id, status="ready")


async def _store(services: Services, work: _Work, *, text: str) -> None:
    async with services.database.session() as session:
        if not await repository.write_draft(session, work.ticket_id, work.attempt, text=text):
            raise _SupersededError
