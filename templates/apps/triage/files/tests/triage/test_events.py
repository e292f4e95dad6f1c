"""Tickets by webhook."""

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app.services import Services
from app.triage.events import HANDLERS, TicketCreated
from app.triage.models import Ticket

CREATED = HANDLERS["ticket.created"]


async def deliver(services: Services, **data: str) -> None:
    async with services.database.session() as session:
        event = CREATED.model.model_validate(data)
        await CREATED.handle(services, session, "default", event)


async def tickets(services: Services) -> list[Ticket]:
    async with services.database.reader() as session:
        return list(await session.scalars(select(Ticket)))


async def test_an_event_becomes_a_ticket(services: Services) -> None:
    await deliver(services, text="Where is my card?", id="desk-1", customer_id="c-1", colour="red")
    (ticket,) = await tickets(services)
    assert (ticket.source, ticket.external_id, ticket.customer_id) == ("webhook", "desk-1", "c-1")
    assert ticket.status == "received"


async def test_two_deliveries_of_one_ticket_file_it_once(services: Services) -> None:
    for _ in range(2):
        await deliver(services, text="Where is my card?", id="desk-1")
    assert len(await tickets(services)) == 1


async def test_the_example_that_is_sent_to_try_it_out_is_valid(services: Services) -> None:
    (example,) = TicketCreated.model_json_schema()["examples"]
    for _ in range(2):
        await deliver(services, **example)
    assert len(await tickets(services)) == 2


@pytest.mark.parametrize("data", [{}, {"text": ""}, {"text": "x", "id": "a b"}, {"text": 7}])
def test_malformed_events_are_refused(data: dict) -> None:
    with pytest.raises(ValidationError):
        CREATED.model.model_validate(data)
