"""Decisions of people, as golden cases."""

import json
from pathlib import Path

from app.evals.suite import read_records
from app.services import Services
from app.triage import feedback_cases, service
from app.triage.intents import table
from app.triage.schemas import NewFeedback
from tests.triage.conftest import AGENT, triaged

ACCEPT = NewFeedback(decision="accept")
GOLDEN = json.loads(Path("evals/golden.jsonl").read_text(encoding="utf-8").splitlines()[0])


async def decide(services: Services, text: str, feedback: NewFeedback = ACCEPT) -> None:
    ticket = await triaged(services, text)
    async with services.database.session() as session:
        await service.give_feedback(session, AGENT, ticket.id, feedback)


async def test_accepted_and_edited_tickets_become_cases(services: Services, tmp_path: Path) -> None:
    edit = NewFeedback(decision="edit", text="18.", intent="age_limit")
    await decide(services, "Where is my card? I am Ada Example, asap!")
    await decide(services, "How old must I be?", edit)
    await decide(services, "Never mind", NewFeedback(decision="reject"))
    await decide(services, "How old must I be?")
    await triaged(services, "Still open")
    output = tmp_path / "new" / "feedback.jsonl"
    assert await feedback_cases.export(services.database, "default", output) == 2
    first, second = read_records(output)
    assert first == {
        "id": first["id"],
        "text": "Where is my card? I am [NAME_1], asap!",
        "expected": {
            "intent": "card_arrival",
            "family": "cards",
            "team": "cards",
            "priority": "high",
        },
        "source": "feedback",
    }
    # What a person corrected counts, not what the model had said.
    assert second["expected"]["intent"] == "age_limit"
    assert {first["expected"]["intent"], second["expected"]["intent"]} <= table().intents.keys()
    assert [path.name for path in output.parent.iterdir()] == ["feedback.jsonl"]


async def test_cases_have_the_shape_of_golden_ones(services: Services, tmp_path: Path) -> None:
    await decide(services, "Where is my card?")
    output = tmp_path / "feedback.jsonl"
    await feedback_cases.export(services.database, "default", output)
    (case,) = read_records(output)
    assert case.keys() == GOLDEN.keys()
    assert case["expected"].keys() == GOLDEN["expected"].keys()


async def test_other_tenants_are_left_out(services: Services, tmp_path: Path) -> None:
    await decide(services, "Where is my card?")
    output = tmp_path / "feedback.jsonl"
    assert await feedback_cases.export(services.database, "elsewhere", output) == 0
    assert output.read_text() == ""
