"""Work of triage that waits in the queue."""

from app.jobs.task import task
from app.services import Services
from app.triage import pipeline


async def give_up(services: Services, ticket_id: str) -> None:
    """Say on the ticket that no draft will come by itself."""
    await pipeline.fail(services, ticket_id)


@task("triage.process", queue="inference", max_attempts=5, timeout_seconds=60, on_dead=give_up)
async def process(services: Services, ticket_id: str) -> None:
    """Classify a ticket and draft its answer. May run again for the same ticket."""
    await pipeline.run(services, ticket_id)
