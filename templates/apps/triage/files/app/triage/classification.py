"""What follows from knowing what a ticket is about."""

from app.triage.intents import table
from app.triage.models import Ticket
from app.triage.priority import priority_of, rank_of


def classify_as(ticket: Ticket, intent: str) -> None:
    """Set the ticket's intent and all that follows from it. Raises KeyError for an unknown one."""
    entry = table()[intent]
    ticket.intent = entry.name
    ticket.family = entry.family
    ticket.team = entry.team
    priority = priority_of(entry.priority, ticket.masked_text)
    ticket.priority = priority
    ticket.priority_rank = rank_of(priority)
