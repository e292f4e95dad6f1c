"""Fills the inbox with tickets that look like a bank's: the same ones every time, any number.

Rows are made one by one and inserted in batches, so a million takes the memory of a batch.
"""

import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import delete, insert

from app.ai import pii
from app.ai.retrieval import KnowledgeBase
from app.core.db import Database
from app.triage.edits import edit_distance
from app.triage.intents import table
from app.triage.models import CLOSED, Customer, Draft, Feedback, Ticket
from app.triage.priority import priority_of, rank_of
from app.triage.seed_texts import Voice

SOURCE = "seed"
_BATCH = 500
_SPAN = timedelta(days=30)
_AGENTS = ("alex", "kim", "robin", "sam")
_UNSURE_BELOW = 0.55

Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Label:
    """What a ticket was classified as."""

    intent: str
    confidence: float
    is_unsure: bool
    route: str


Classify = Callable[[str], Awaitable[Label]]


@dataclass(frozen=True, slots=True)
class Seed:
    """What to make. Two seeds with equal fields make equal rows; `epoch` is the moment of "now"."""

    tenant: str
    users: int
    tickets: int
    epoch: datetime
    organisation: str
    name: str = "greenlane"

    def rng(self, kind: str, number: int) -> random.Random:
        # A generator of its own for each row: row n is the same, however many are made.
        return random.Random(f"{self.name}/{kind}/{number}")  # noqa: S311  nothing here is secret

    def key(self, kind: str, number: int) -> str:
        text = f"{self.name}/{self.tenant}/{kind}/{number}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


async def fill(
    database: Database,
    seed: Seed,
    voice: Voice,
    knowledge: KnowledgeBase,
    *,
    classify: Classify | None = None,
    on_batch: Callable[[int], None] = lambda count: None,
) -> str:
    """Replace what an earlier seeding of this tenant left, and return a hash of the new rows.

    With `classify` tickets get what the model says of them, otherwise the label of their query.
    The hash leaves out absolute times, so that it does not depend on the epoch.
    """
    digest = hashlib.sha256()
    await _clear(database, seed.tenant)
    for rows in _batches(_customers(seed)):
        async with database.session() as session:
            await session.execute(insert(Customer), rows)
        _count_in(digest, seed, rows)
    for numbers in _batches(range(seed.tickets)):
        tickets, drafts, feedback = [], [], []
        for number in numbers:
            ticket, true_intent = _ticket(seed, voice, number)
            label = await classify(ticket["text"]) if classify else None
            _classify(seed, number, ticket, label or _label(seed, number, true_intent))
            draft = _draft(seed, knowledge, ticket)
            tickets.append(ticket)
            if draft:
                drafts.append(draft)
            if ticket["status"] in CLOSED and draft:
                feedback.append(_feedback(seed, number, ticket, draft))
        async with database.session() as session:
            for model, rows in ((Ticket, tickets), (Draft, drafts), (Feedback, feedback)):
                if rows:
                    await session.execute(insert(model), rows)
        for rows in (tickets, drafts, feedback):
            _count_in(digest, seed, rows)
        on_batch(len(tickets))
    return digest.hexdigest()


async def _clear(database: Database, tenant: str) -> None:
    async with database.session() as session:
        # Drafts and feedback go with their tickets.
        await session.execute(
            delete(Ticket).where(Ticket.tenant_id == tenant, Ticket.source == SOURCE)
        )
        await session.execute(
            delete(Customer).where(Customer.tenant_id == tenant, Customer.id.startswith("seed-"))
        )


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _customers(seed: Seed) -> Iterator[Row]:
    for number in range(seed.users):
        rng = seed.rng("customer", number)
        yield {
            "tenant_id": seed.tenant,
            "id": _customer_id(number),
            "plan": rng.choices(("standard", "plus", "premium"), (70, 22, 8))[0],
            "since": (seed.epoch - timedelta(days=rng.randrange(30, 3_000))).date(),
        }


def _customer_id(number: int) -> str:
    return f"seed-{number:07d}"


def _ticket(seed: Seed, voice: Voice, number: int) -> tuple[Row, str]:
    """Return a ticket without its classification, and the intent of its query."""
    rng = seed.rng("ticket", number)
    text, intent = voice.message(rng)
    # More of them recently; few customers write often, most never.
    age = _SPAN * rng.random() ** 2
    customer = min(int(rng.paretovariate(1.2)) - 1, seed.users - 1) if seed.users else None
    if customer is not None:
        customer = (customer * 7_919) % seed.users
    created_at = seed.epoch - timedelta(seconds=int(age.total_seconds()))
    handling = timedelta(minutes=rng.randrange(2, 240))
    status = _status(rng, age)
    return {
        "id": seed.key("ticket", number),
        "tenant_id": seed.tenant,
        "source": SOURCE,
        "external_id": None,
        "customer_id": None if customer is None else _customer_id(customer),
        "text": text,
        "masked_text": pii.mask(text).text,
        "status": status,
        "created_at": created_at,
        "updated_at": created_at + (handling if status in CLOSED else timedelta(seconds=2)),
    }, intent


def _status(rng: random.Random, age: timedelta) -> str:
    """Old tickets are mostly dealt with, those of the last hours mostly not."""
    days = age.total_seconds() / 86_400
    if rng.random() < min(0.97, days / 2):
        return "rejected" if rng.random() < 0.08 else "answered"
    return "failed" if rng.random() < 0.01 else "ready"


def _label(seed: Seed, number: int, intent: str) -> Label:
    confidence = round(seed.rng("label", number).betavariate(6, 1.4), 4)
    return Label(intent, confidence, confidence < _UNSURE_BELOW, "small")


def _classify(seed: Seed, number: int, ticket: Row, label: Label) -> None:
    entry = table()[label.intent]
    priority = priority_of(entry.priority, ticket["masked_text"])
    ticket |= {
        "intent": entry.name,
        "family": entry.family,
        "team": entry.team,
        "priority": priority,
        "priority_rank": rank_of(priority),
        "confidence": label.confidence,
        "is_unsure": label.is_unsure,
        "route": label.route,
    }


def _draft(seed: Seed, knowledge: KnowledgeBase, ticket: Row) -> Row | None:
    """The first paragraph of the article for the ticket's intent."""
    if ticket["status"] == "failed":
        return None
    found = next((a for a in knowledge.articles.values() if ticket["intent"] in a.intents), None)
    if found is None:
        raise ValueError(f"no article in knowledge/ is for the intent {ticket['intent']}")
    lead = " ".join(found.text.split("\n\n", 1)[0].split())
    return {
        "ticket_id": ticket["id"],
        "tenant_id": seed.tenant,
        "attempt": 1,
        "state": "done",
        "text": f"Hello,\n\nthank you for your message. {lead} [1]\n\n"
        f"Kind regards,\n{seed.organisation}",
        "citations": [{"number": 1, "article_id": found.id, "title": found.title}],
        "findings": [],
        "model": SOURCE,
        "route": SOURCE,
        "prompt_hash": None,
        "tokens_in": 0,
        "tokens_out": 0,
        "cost_usd": 0.0,
        "latency_ms": None,
        "created_at": ticket["created_at"],
        "updated_at": ticket["created_at"] + timedelta(seconds=2),
    }


def _feedback(seed: Seed, number: int, ticket: Row, draft: Row) -> Row:
    rng = seed.rng("feedback", number)
    rejected = ticket["status"] == "rejected"
    decision = "reject" if rejected else rng.choices(("accept", "edit"), (75, 25))[0]
    final = None if rejected else str(draft["text"])
    if final and decision == "edit":
        final = final.replace("thank you for your message.", "thank you for writing to us.")
    distance, share = edit_distance(draft["text"], final) if final else (0, 0.0)
    return {
        "ticket_id": ticket["id"],
        "tenant_id": seed.tenant,
        "decision": decision,
        "intent": ticket["intent"],
        "predicted_intent": ticket["intent"],
        "final_text": final,
        "reason": "Does not answer the question" if rejected else None,
        "edit_distance": distance,
        "edit_share": share,
        "given_by": rng.choice(_AGENTS),
        "created_at": ticket["updated_at"],
    }


def _count_in(digest: "hashlib._Hash", seed: Seed, rows: list[Row]) -> None:
    def plain(value: object) -> str:
        if isinstance(value, datetime):
            return str(value - seed.epoch)
        return str(value - seed.epoch.date())  # type: ignore[operator]

    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=plain).encode())
