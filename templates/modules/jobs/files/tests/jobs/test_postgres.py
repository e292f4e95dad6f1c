"""The queue on PostgreSQL."""

import asyncio
import time

import pytest

from app.settings import Settings
from tests.jobs.conftest import MakeQueue, until
from tests.jobs.tasks import journal, note
from tests.postgres import ON_POSTGRES

pytestmark = ON_POSTGRES


@pytest.fixture
def settings(settings: Settings, postgres_url: str) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


async def test_workers_share_the_queue_and_run_each_job_once(make_queue: MakeQueue) -> None:
    queue = make_queue(concurrency={"inference": 1, "default": 8})
    async with queue.database.session():
        for n in range(1000):
            await note.enqueue(n)
    claims = await asyncio.gather(*(queue.store.claim("default", 20) for _ in range(5)))
    keys = [job.id for jobs in claims for job in jobs]
    assert len(keys) == len(set(keys)) == 100
    for job in (job for jobs in claims for job in jobs):
        assert await queue.store.release(job)
    started = time.perf_counter()
    async with queue.worker().running(), queue.worker().running():
        await until(queue.empty, seconds=60)
    rate = 1000 / (time.perf_counter() - started)
    assert sorted(journal.calls) == list(range(1000))
    assert rate > 20, f"{rate:.0f} jobs a second"
