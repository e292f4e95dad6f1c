"""Background jobs: a durable queue in the application's own database.

A feature marks functions with `@task` in its `tasks.py` and calls `.enqueue(...)`. The job is a
row, written in the caller's transaction; workers here or in other processes (`app worker`) take it.
"""

import asyncio

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from app.core.background import in_background
from app.jobs.settings import JobsSettings
from app.jobs.store import JobStore
from app.jobs.task import Outbox, Task, bind, task
from app.jobs.worker import Worker
from app.services import Services

__all__ = ["Task", "setup", "task"]

_GAUGE_SECONDS = 5
log = structlog.get_logger(__name__)


def setup(app: FastAPI, services: Services) -> None:
    from app.jobs.routes import router

    settings = JobsSettings()
    store = JobStore(services.database, settings)
    app.state.jobs = store
    bind(Outbox(services, store))
    app.include_router(router)

    services.lifespans.append(lambda: in_background(_measure(services, store, settings)))
    if services.settings.in_process_workers:
        services.lifespans.append(lambda: Worker(services, store, settings).running())


async def _measure(services: Services, store: JobStore, settings: JobsSettings) -> None:
    depth = services.metrics.gauge("jobs_depth", "Jobs that are not done", ("queue", "state"))
    while True:
        try:
            depths = await store.depths()
        except SQLAlchemyError as error:
            log.warning("queue_unmeasured", error=type(error).__name__)
        else:
            depth.clear()
            for queue in settings.concurrency:
                for state in ("ready", "running", "dead"):
                    depth.labels(queue, state).set(depths.get((queue, state), 0))
        await asyncio.sleep(_GAUGE_SECONDS)
