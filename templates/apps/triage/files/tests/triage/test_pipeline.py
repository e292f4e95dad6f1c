"""From a stored ticket to a finished draft, also when it is delivered twice."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.ai.model import ModelError
from app.jobs.settings import JobsSettings
from app.jobs.worker import Worker
from app.services import Services
from app.triage import pipeline, service
from app.triage.models import Draft
from app.triage.schemas import NewFeedback
from app.triage.tasks import give_up
from tests.triage.conftest import AGENT, Writer, file, read, triaged, until, written_by


async def draft_of(services: Services, ticket_id: str) -> Draft:
    async with services.database.reader() as session:
        return await session.get_one(Draft, ticket_id)


async def test_a_ticket_gets_intent_priority_team_and_draft(services: Services) -> None:
    ticket = await triaged(services, "My card was stolen, block it")
    assert ticket.status == "ready"
    assert (ticket.intent, ticket.family) == ("lost_or_stolen_card", "security")
    assert (ticket.team, ticket.priority, ticket.priority_rank) == ("fraud", "urgent", 0)
    assert (ticket.confidence, ticket.is_unsure, ticket.route) == (0.97, False, "small")
    draft = await draft_of(services, ticket.id)
    assert draft.state == "done"
    assert "Freeze the card" in draft.text
    cited = {citation["article_id"] for citation in draft.citations}
    assert "lost-or-stolen-card" in cited
    assert draft.model == "local-writer-1"
    assert draft.prompt_hash


async def test_haste_raises_the_priority(services: Services) -> None:
    assert (await triaged(services, "Where is my card?")).priority == "normal"
    assert (await triaged(services, "Where is my card? I need it ASAP")).priority == "high"


async def test_an_unsure_classification_asks_for_a_person(services: Services) -> None:
    ticket = await triaged(services, "unsure what this is")
    assert ticket.is_unsure
    assert ticket.intent == "card_arrival"
    assert ticket.status == "ready"


async def test_a_second_delivery_changes_nothing(services: Services) -> None:
    writer = Writer()
    services = written_by(services, writer)
    ticket = await triaged(services, "Where is my card?")
    first = await draft_of(services, ticket.id)
    await pipeline.run(services, ticket.id)
    again = await draft_of(services, ticket.id)
    assert len(writer.requests) == 1
    assert (again.attempt, again.text, again.updated_at) == (1, first.text, first.updated_at)


async def test_a_run_that_was_cut_short_is_taken_up_from_the_start(services: Services) -> None:
    async def die() -> None:
        raise asyncio.CancelledError

    ticket = await file(services, "Where is my card?")
    with pytest.raises(asyncio.CancelledError):
        await pipeline.run(written_by(services, Writer(die)), ticket.id)
    assert (await read(services, ticket.id)).status == "working"
    await pipeline.run(services, ticket.id)
    draft = await draft_of(services, ticket.id)
    assert (await read(services, ticket.id)).status == "ready"
    assert (draft.attempt, draft.state) == (2, "done")
    assert draft.text.count("Hello,") == 1


async def test_of_two_runs_at_once_the_later_one_writes(services: Services) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def stall() -> None:
        reached.set()
        await go_on.wait()

    slow = Writer(stall)
    ticket = await file(services, "Where is my card?")
    first = asyncio.create_task(pipeline.run(written_by(services, slow), ticket.id))
    await reached.wait()
    await pipeline.run(services, ticket.id)
    done = await draft_of(services, ticket.id)
    go_on.set()
    await first
    after = await draft_of(services, ticket.id)
    assert (done.attempt, done.model) == (2, "local-writer-1")
    assert (after.text, after.model, after.updated_at) == (done.text, done.model, done.updated_at)


async def test_a_run_that_lost_its_turn_writes_nothing_into_the_next_one(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGE_DRAFT_WRITE_INTERVAL_S", "0")
    gates = [asyncio.Event(), asyncio.Event()]
    reached = [asyncio.Event(), asyncio.Event()]
    ticket = await file(services, "Where is my card?")
    runs = []
    for gate, arrived in zip(gates, reached, strict=True):

        async def stall(gate=gate, arrived=arrived) -> None:
            arrived.set()
            await gate.wait()

        turn = written_by(services, Writer(stall))
        runs.append(asyncio.create_task(pipeline.run(turn, ticket.id)))
        await arrived.wait()
    gates[0].set()
    await runs[0]
    draft = await draft_of(services, ticket.id)
    assert (draft.attempt, draft.state, draft.text) == (2, "writing", "")
    assert (await read(services, ticket.id)).status == "working"
    gates[1].set()
    await runs[1]
    assert (await draft_of(services, ticket.id)).state == "done"
    assert (await read(services, ticket.id)).status == "ready"


async def test_a_decision_during_a_second_run_stands(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    async with services.database.session() as session:
        await service.give_feedback(session, AGENT, ticket.id, NewFeedback(decision="accept"))
    await pipeline.run(services, ticket.id)
    assert (await read(services, ticket.id)).status == "answered"


async def test_the_draft_is_stored_as_it_is_written(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGE_DRAFT_WRITE_INTERVAL_S", "0")
    gate = asyncio.Semaphore(0)

    async def step() -> None:
        await gate.acquire()

    ticket = await file(services, "Where is my card?")
    task = asyncio.create_task(pipeline.run(written_by(services, Writer(step)), ticket.id))
    for _ in range(60):
        gate.release()

    async def partly() -> bool:
        async with services.database.reader() as session:
            draft = await session.get(Draft, ticket.id)
        return draft is not None and draft.state == "writing" and len(draft.text) > 20

    await until(partly)
    partial = (await draft_of(services, ticket.id)).text
    for _ in range(10_000):
        gate.release()
    await task
    whole = await draft_of(services, ticket.id)
    assert whole.text.startswith(partial)
    assert len(whole.text) > len(partial)


async def test_when_no_model_answers_the_queue_tries_again(services: Services) -> None:
    async def fail() -> None:
        raise ModelError("down")

    ticket = await file(services, "Where is my card?")
    with pytest.raises(Exception, match="No model could answer"):
        await pipeline.run(written_by(services, Writer(fail)), ticket.id)
    assert (await read(services, ticket.id)).status == "working"
    await give_up(services, ticket_id=ticket.id)
    failed = await read(services, ticket.id)
    # What was found out stays; only the draft is missing.
    assert (failed.status, failed.intent) == ("failed", "card_arrival")
    await pipeline.run(services, ticket.id)
    assert (await read(services, ticket.id)).status == "ready"


async def test_giving_up_leaves_a_finished_ticket_alone(services: Services) -> None:
    ticket = await triaged(services, "Where is my card?")
    await give_up(services, ticket_id=ticket.id)
    assert (await read(services, ticket.id)).status == "ready"


async def test_no_model_and_no_log_sees_personal_data(services: Services) -> None:
    secrets = ["4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "ada@example.com", "Lovelace"]
    text = f"My name is Ada Lovelace, {', '.join(secrets[:3])}. Where is my card?"
    writer = Writer()
    with capture_logs() as lines:
        ticket = await triaged(written_by(services, writer), text)
    assert writer.requests
    seen = str(writer.requests) + str(lines) + (await draft_of(services, ticket.id)).text
    assert [secret for secret in secrets if secret in seen] == []
    assert ticket.text == text


async def test_a_worker_takes_it_from_the_queue(services: Services, app) -> None:
    ticket = await file(services, "Where is my card?")
    settings = JobsSettings(poll_seconds=0.02, poll_limit_seconds=0.05)

    async def ready() -> bool:
        return (await read(services, ticket.id)).status == "ready"

    async with Worker(services, app.state.jobs, settings).running():
        await until(ready)


async def test_a_ticket_that_is_gone_is_no_error(services: Services) -> None:
    await pipeline.run(services, "no-such-ticket")
