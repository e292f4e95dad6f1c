"""People's decisions as cases for the evals."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.core.db import Database
from app.triage.intents import table
from app.triage.models import Feedback, Ticket
from app.triage.priority import priority_of
from app.triage.seed import SOURCE as SEEDED


async def cases(database: Database, tenant: str) -> AsyncIterator[dict[str, Any]]:
    """Yield a golden case for each draft that was accepted or edited, oldest first.

    The text is masked. Of tickets with the same text the first counts; seeded ones are left out,
    since nobody looked at them.
    """
    statement = (
        select(Ticket.id, Ticket.masked_text, Feedback.intent)
        .join(Feedback, Feedback.ticket_id == Ticket.id)
        .where(
            Ticket.tenant_id == tenant,
            Ticket.source != SEEDED,
            Feedback.decision.in_(("accept", "edit")),
            Feedback.intent.is_not(None),
        )
        .order_by(Feedback.created_at, Ticket.id)
    )
    seen: set[str] = set()
    async with database.reader() as session:
        async for ticket_id, text, intent in await session.stream(statement):
            entry = table().intents.get(intent or "")
            if entry is None or text in seen:
                continue
            seen.add(text)
            yield {
                "id": f"feedback-{ticket_id[:12]}",
                "text": text,
                "expected": {
                    "intent": entry.name,
                    "family": entry.family,
                    "team": entry.team,
                    "priority": priority_of(entry.priority, text),
                },
                "source": "feedback",
            }


async def export(database: Database, tenant: str, output: Path) -> int:
    """Write the cases to `output`, one JSON object a line, and return how many there are.

    The file is replaced in one step: a failure half-way leaves the old one.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    count = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            async for case in cases(database, tenant):
                file.write(json.dumps(case, ensure_ascii=False) + "\n")
                count += 1
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return count
