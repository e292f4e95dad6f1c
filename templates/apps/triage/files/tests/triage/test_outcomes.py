"""What people do with drafts is an outcome, by the ticket that the flags were asked for with."""

import pytest

from app.core.db import utcnow
from app.services import Services
from app.triage import service
from app.triage.outcomes import OUTCOMES
from app.triage.schemas import NewFeedback
from tests.triage.conftest import AGENT, triaged

pytestmark = pytest.mark.anyio


async def test_each_decision_is_an_outcome_of_its_ticket(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    choose = services.gateway.choose
    monkeypatch.setattr(
        services.gateway,
        "choose",
        lambda principal: (asked.append(principal), choose(principal))[1],
    )
    tickets = [await triaged(services, "Where is my card?") for _ in range(2)]
    decisions = [NewFeedback(decision="accept"), NewFeedback(decision="reject", reason="no")]
    for ticket, feedback in zip(tickets, decisions, strict=True):
        async with services.database.session() as session:
            await service.give_feedback(session, AGENT, ticket.id, feedback)
    async with services.database.reader() as session:
        rows = (await session.execute(OUTCOMES["draft-used"].rows)).all()
    assert {(row.tenant_id, row.subject, row.outcome) for row in rows} == {
        ("default", tickets[0].id, "accept"),
        ("default", tickets[1].id, "reject"),
    }
    assert all(row.at <= utcnow() for row in rows)
    assert {principal.subject for principal in asked} == {ticket.id for ticket in tickets}
