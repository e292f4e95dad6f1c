"""Copies that a candidate answers wait in the queue like other work, behind it."""

from app.delivery import shadow
from app.jobs.task import task
from app.services import Services


@task("delivery.shadow", max_attempts=1, timeout_seconds=60)
async def answer_copy(services: Services, copy_id: str) -> None:
    """Let the candidate answer a copy of a request."""
    await shadow.answer(services, copy_id)
