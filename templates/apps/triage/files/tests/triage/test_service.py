"""How tickets come in, and what may be done with a draft."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, update

from app.core import retention
from app.core.db import utcnow
from app.core.problems import AppError
from app.jobs.models import Job
from app.services import Services
from app.triage import pipeline, service
from app.triage.models import Draft, Feedback, Ticket
from app.triage.schemas import NewFeedback, NewTicket
from app.triage.settings import TriageSettings
from tests.triage.conftest import AGENT, STRANGER, file, read, triaged

ACCEPT = NewFeedback(decision="accept")


async def give(services: Services, ticket: Ticket, new: NewFeedback, who=AGENT) -> Feedback:
    async with services.database.session() as session:
        return await service.give_feedback(session, who, ticket.id, new)


async def count(services: Services, table: type) -> int:
    async with services.database.reader() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_a_ticket_is_stored_masked_and_queued(services: Services) -> None:
    ticket = await file(services, "  I am Ada Example, card 4111 1111 1111 1111  ")
    assert ticket.text == "I am Ada Example, card 4111 1111 1111 1111"
    assert ticket.masked_text == "I am [NAME_1], card [CARD_1]"
    assert ticket.status == "received"
    async with services.database.reader() as session:
        job = (await session.scalars(select(Job))).one()
    assert (job.task, job.queue) == ("triage.process", "inference")
    # The queue holds the ticket's number and nothing a customer wrote.
    assert job.arguments == {"ticket_id": ticket.id}


async def test_ticket_and_job_are_stored_together_or_not_at_all(services: Services) -> None:
    with pytest.raises(RuntimeError):
        async with services.database.session() as session:
            await service.accept(session, "default", NewTicket(text="lost"), source="api")
            raise RuntimeError
    assert await count(services, Ticket) == 0
    assert await count(services, Job) == 0


async def test_the_same_number_of_a_sender_is_filed_once(services: Services) -> None:
    async def send(source: str, external_id: str | None, tenant: str = "default") -> str:
        async with services.database.session() as session:
            ticket = await service.accept(
                session, tenant, NewTicket(text="hi"), source=source, external_id=external_id
            )
            return ticket.id

    first = await send("webhook", "4711")
    assert await send("webhook", "4711") == first
    others = {
        await send("webhook", "4712"),
        await send("mail", "4711"),
        await send("webhook", "4711", tenant="other"),
        await send("webhook", None),
        await send("webhook", None),
    }
    assert len(others - {first}) == 5
    assert await count(services, Job) == 6


async def test_accepting_a_draft_closes_the_ticket(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    feedback = await give(services, ticket, ACCEPT)
    async with services.database.reader() as session:
        draft = await session.get_one(Draft, ticket.id)
    assert feedback.final_text == draft.text
    assert (feedback.edit_distance, feedback.edit_share) == (0, 0.0)
    assert feedback.given_by == "robin"
    assert (await read(services, ticket.id)).status == "answered"


async def test_an_edit_is_measured_and_masked(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    async with services.database.reader() as session:
        text = (await session.get_one(Draft, ticket.id)).text
    edited = text.replace("Hello,", "Hello Ben,") + "\nCall me on +44 7700 900123."
    feedback = await give(services, ticket, NewFeedback(decision="edit", text=edited))
    assert feedback.edit_distance == 6
    assert 0 < feedback.edit_share < 0.2
    assert feedback.final_text is not None
    assert "900123" not in feedback.final_text
    assert "[PHONE_1]" in feedback.final_text
    assert feedback.final_text.count(TriageSettings().organisation) == 1


async def test_a_rejection_keeps_its_reason_and_a_correction(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    new = NewFeedback(decision="reject", reason="Not about cards", intent="age_limit")
    feedback = await give(services, ticket, new)
    assert feedback.final_text is None
    assert (feedback.predicted_intent, feedback.intent) == ("card_arrival", "age_limit")
    corrected = await read(services, ticket.id)
    assert (corrected.status, corrected.team, corrected.priority) == ("rejected", "accounts", "low")


async def test_a_ticket_is_decided_once(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    await give(services, ticket, ACCEPT)
    with pytest.raises(AppError) as refused:
        await give(services, ticket, NewFeedback(decision="reject"))
    assert refused.value.status == 409
    assert (await read(services, ticket.id)).status == "answered"


@pytest.mark.parametrize("decision", ["accept", "edit", "reject"])
async def test_nothing_is_decided_before_there_is_a_draft(services: Services, decision) -> None:
    ticket = await file(services, "Where is my card?")
    text = "My own answer" if decision == "edit" else None
    with pytest.raises(AppError) as refused:
        await give(services, ticket, NewFeedback(decision=decision, text=text))
    assert refused.value.status == 409


async def test_without_a_draft_a_person_can_answer_but_not_accept(services: Services) -> None:
    ticket = await file(services, "Where is my card?")
    await pipeline.fail(services, ticket.id)
    with pytest.raises(AppError) as refused:
        await give(services, ticket, ACCEPT)
    assert refused.value.status == 409
    feedback = await give(services, ticket, NewFeedback(decision="edit", text="It is on its way."))
    assert (feedback.edit_distance, feedback.edit_share) == (5, 1.0)


async def test_other_tenants_and_unknown_intents_are_refused(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    with pytest.raises(AppError) as refused:
        await give(services, ticket, ACCEPT, who=STRANGER)
    assert refused.value.status == 404
    with pytest.raises(AppError) as refused:
        await give(services, ticket, NewFeedback(decision="accept", intent="no_such"))
    assert refused.value.status == 422
    assert (await read(services, ticket.id)).status == "ready"


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "edit"},
        {"decision": "edit", "text": "  "},
        {"decision": "accept", "text": "x"},
        {"decision": "reject", "text": "x"},
        {"decision": "reject", "reason": "nul \0"},
        {"decision": "maybe"},
    ],
)
def test_feedback_that_makes_no_sense_is_refused(fields: dict) -> None:
    with pytest.raises(ValidationError):
        NewFeedback(**fields)


@pytest.mark.parametrize(
    ("status", "days", "is_kept"),
    [("answered", 91, False), ("rejected", 91, False), ("answered", 89, True), ("ready", 91, True)],
)
async def test_72_what_a_customer_wrote_is_kept_for_a_while(
    services: Services, status: str, days: int, is_kept: bool
) -> None:
    ticket = await file(services, "I am Ada Example, card 4111 1111 1111 1111")
    async with services.database.session() as session:
        ended = {"status": status, "updated_at": utcnow() - timedelta(days=days)}
        await session.execute(update(Ticket).values(ended))
    for _ in range(2):
        await retention.forget(services.database, services.outdated)
    kept = await read(services, ticket.id)
    assert (kept.text, kept.masked_text) == (
        ticket.text if is_kept else ticket.masked_text,
        ticket.masked_text,
    )
