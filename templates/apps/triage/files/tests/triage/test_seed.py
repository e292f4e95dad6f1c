"""Seeded tickets: the same every time, beside real ones, quick."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import func, select

from app.cli import main
from app.services import Services
from app.triage import commands, seed
from app.triage.intents import table
from app.triage.models import Customer, Draft, Feedback, Ticket
from app.triage.seed import Label, Seed
from app.triage.seed_texts import Voice
from tests.triage.conftest import triaged

EPOCH = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLAN = Seed("default", users=20, tickets=120, epoch=EPOCH, organisation="Example Bank")
TRAINING = Path("datasets/banking77_train.csv")


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice(TRAINING)


async def fill(services: Services, voice: Voice, **changes: Any) -> str:
    classify = changes.pop("classify", None)
    plan = dataclasses.replace(PLAN, **changes)
    knowledge = services.gateway.knowledge
    return await seed.fill(services.database, plan, voice, knowledge, classify=classify)


async def rows(services: Services, model: type) -> list[tuple]:
    columns = model.__table__.c
    async with services.database.reader() as session:
        found = await session.execute(select(*columns).order_by(*model.__table__.primary_key))
        return [tuple(row) for row in found]


async def test_twice_gives_the_same_rows_and_hash(services: Services, voice: Voice) -> None:
    models = (Customer, Ticket, Draft, Feedback)
    first_hash = await fill(services, voice)
    first = [await rows(services, model) for model in models]
    assert await fill(services, voice) == first_hash
    assert [await rows(services, model) for model in models] == first
    assert [len(found) > 0 for found in first] == [True] * 4
    assert (len(first[0]), len(first[1])) == (20, 120)


async def test_the_hash_tells_other_content_but_not_another_epoch(
    services: Services, voice: Voice
) -> None:
    original = await fill(services, voice)
    assert await fill(services, voice, epoch=EPOCH + timedelta(days=99, hours=3)) == original
    assert await fill(services, voice, name="other") != original
    assert await fill(services, voice, tickets=121) != original


async def test_more_tickets_are_the_same_and_some_more(services: Services, voice: Voice) -> None:
    await fill(services, voice, tickets=30)
    few = {row[0]: row for row in await rows(services, Ticket)}
    await fill(services, voice, tickets=60)
    many = {row[0]: row for row in await rows(services, Ticket)}
    assert len(many) == 60
    assert few.items() <= many.items()


async def test_real_tickets_and_other_tenants_stay(services: Services, voice: Voice) -> None:
    real = await triaged(services, "Where is my card?")
    await fill(services, voice, tenant="elsewhere", tickets=10)
    await fill(services, voice, tickets=10)
    await fill(services, voice, tickets=5)
    async with services.database.reader() as session:
        found = await session.execute(
            select(Ticket.tenant_id, func.count().label("number")).group_by(Ticket.tenant_id)
        )
        counts = {row.tenant_id: row.number for row in found}
        assert (await session.get_one(Ticket, real.id)).status == "ready"
    assert counts == {"default": 6, "elsewhere": 10}


async def test_tickets_look_like_an_inbox(services: Services, voice: Voice) -> None:
    await fill(services, voice, tickets=600)
    async with services.database.reader() as session:
        tickets = list(await session.scalars(select(Ticket)))
        feedback = {f.ticket_id: f for f in await session.scalars(select(Feedback))}
    assert len({ticket.intent for ticket in tickets}) > 60
    assert {ticket.status for ticket in tickets} == {"ready", "answered", "rejected", "failed"}
    assert {ticket.priority for ticket in tickets} == {"urgent", "high", "normal", "low"}
    assert all(EPOCH - timedelta(days=30) <= ticket.created_at <= EPOCH for ticket in tickets)
    assert any(ticket.is_unsure for ticket in tickets)
    # Personal data is there to be masked, and is.
    assert any("4111 1111 1111 1111" in ticket.text for ticket in tickets)
    assert not any("4111 1111 1111 1111" in ticket.masked_text for ticket in tickets)
    closed = {ticket.id for ticket in tickets if ticket.status in ("answered", "rejected")}
    assert feedback.keys() == closed
    edits = [f for f in feedback.values() if f.decision == "edit"]
    assert edits
    assert all(0 < edit.edit_share < 1 for edit in edits)


async def test_the_model_can_classify_on_the_way(services: Services, voice: Voice) -> None:
    async def classify(_text: str) -> Label:
        return Label("age_limit", 0.5, True, "small")

    await fill(services, voice, tickets=5, classify=classify)
    async with services.database.reader() as session:
        tickets = list(await session.scalars(select(Ticket)))
    assert {(t.intent, t.confidence, t.is_unsure) for t in tickets} == {("age_limit", 0.5, True)}
    assert {ticket.team for ticket in tickets} == {table()["age_limit"].team}


async def test_no_customers_and_no_tickets_are_fine(services: Services, voice: Voice) -> None:
    await fill(services, voice, users=0, tickets=3)
    async with services.database.reader() as session:
        assert set(await session.scalars(select(Ticket.customer_id))) == {None}
    await fill(services, voice, users=0, tickets=0)
    assert await rows(services, Ticket) == []


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def command_settings(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)


@pytest.mark.usefixtures("command_settings")
def test_the_command_prints_the_hash() -> None:
    options = ("--users", "5", "--tickets", "40", "--epoch", "2026-05-01T12:00:00")
    first, again = run("seed", *options), run("seed", *options)
    assert first.exit_code == 0, first.output
    line = first.output.splitlines()[-1]
    assert line.startswith("content sha256 ")
    assert again.output.splitlines()[-1] == line


@pytest.mark.usefixtures("command_settings")
def test_what_the_model_logs_of_each_ticket_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def classify(_text: str) -> Label:
        structlog.get_logger("app").info("generation")
        structlog.get_logger("app").warning("slow")
        return Label("age_limit", 0.5, True, "small")

    monkeypatch.setattr(commands, "_classifier", lambda *_arguments: classify)
    printed = run("seed", "--users", "1", "--tickets", "3", "--process").output
    assert ("generation" in printed, printed.count("slow")) == (False, 3)


@pytest.mark.usefixtures("command_settings")
def test_a_missing_file_of_texts_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TRAINING_PATH", "nowhere.csv")
    result = run("seed", "--tickets", "1")
    assert result.exit_code == 1
    assert "nowhere.csv" in result.output
    assert "TRIAGE_TRAINING_PATH" in result.output


@pytest.mark.usefixtures("command_settings")
def test_an_untrained_model_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "none.npz"))
    result = run("seed", "--tickets", "1", "--process")
    assert result.exit_code == 1
    assert "app model train" in result.output


def test_the_check_of_table_and_articles() -> None:
    result = run("triage", "check")
    assert (result.exit_code, result.output) == (0, "77 intents, 60 articles, all in step\n")


def test_a_gap_between_table_and_articles_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "one.md").write_text(
        "---\nid: one\ntitle: One\nintents: [pin_lost]\n---\n\nText.\n"
    )
    monkeypatch.setenv("AI_KNOWLEDGE_DIR", str(tmp_path))
    result = run("triage", "check")
    assert result.exit_code == 1
    assert "one: the intent pin_lost is not in the table" in result.output
    assert "change_pin: no help article is for it" in result.output
