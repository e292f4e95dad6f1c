"""A queue on the test's own database, with short times."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.jobs.models import Job
from app.jobs.settings import JobsSettings
from app.jobs.store import JobStore
from app.jobs.task import Outbox, bind
from app.jobs.worker import Worker
from app.services import Services, build_services
from app.settings import Settings
from tests.jobs.tasks import journal

TIMES: dict[str, Any] = {
    "lease_seconds": 1,
    "heartbeat_seconds": 0.2,
    "backoff_seconds": 0.01,
    "poll_seconds": 0.02,
    "poll_limit_seconds": 0.05,
    "stop_seconds": 2,
}


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 10) -> None:
    """Wait for something that only a look at the database or another process can tell."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.01)


@dataclass
class Queue:
    services: Services
    store: JobStore
    settings: JobsSettings

    @property
    def database(self) -> Database:
        return self.services.database

    def worker(self, **changes: Any) -> Worker:
        settings = self.settings.model_copy(update=changes)
        store = JobStore(self.database, settings) if changes else self.store
        return Worker(self.services, store, settings)

    async def job(self, key: str) -> Job:
        async with self.database.reader() as session:
            return await session.get_one(Job, key)

    async def count(self, *states: str) -> int:
        query = select(func.count()).select_from(Job).where(Job.state.in_(states))
        async with self.database.reader() as session:
            return await session.scalar(query) or 0

    async def empty(self) -> bool:
        return await self.count("ready", "running") == 0

    async def work_off(self, seconds: float = 10) -> None:
        async with self.worker().running():
            await until(self.empty, seconds)


MakeQueue = Callable[..., Queue]


@pytest.fixture
async def make_queue(settings: Settings) -> AsyncIterator[MakeQueue]:
    """Returns a function that makes the queue, given settings that differ."""
    journal.clear()
    services = build_services(settings)

    def make(**changes: Any) -> Queue:
        jobs = JobsSettings(_env_file=None, **(TIMES | changes))
        store = JobStore(services.database, jobs)
        bind(Outbox(services, store))
        return Queue(services, store, jobs)

    yield make
    await services.database.close()


@pytest.fixture
def queue(make_queue: MakeQueue) -> Queue:
    return make_queue()
