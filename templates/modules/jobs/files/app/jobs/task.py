"""`@task` makes a function callable through the queue."""

import inspect
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec

import structlog

from app.core.db import current_session, utcnow
from app.jobs.models import Job
from app.jobs.store import JobStore
from app.services import Services

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where this process puts its jobs."""

    services: Services
    store: JobStore


# Set by app.jobs.setup. A task is a module's attribute, so there is nobody to hand it one.
_outbox: Outbox | None = None
TASKS: dict[str, "Task[...]"] = {}


def bind(outbox: Outbox) -> None:
    global _outbox
    _outbox = outbox


@dataclass(frozen=True)
class Task(Generic[P]):
    """A function that workers call. It may run more than once for one job: write it so.

    `timeout_seconds` bounds one attempt. `on_dead(services, **arguments)` is told when the job is
    given up, so that what waits for it can say so.
    """

    name: str
    queue: str
    max_attempts: int
    timeout_seconds: float
    function: Callable[Concatenate[Services, P], Awaitable[None]]
    on_dead: Callable[Concatenate[Services, P], Awaitable[None]] | None = None

    async def __call__(self, services: Services, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run it here and now, without the queue."""
        await self.function(services, *args, **kwargs)

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call and return the job's id.

        Joins the current transaction: the job appears when that commits, and never when it fails.
        Without one it commits by itself. Arguments must be JSON; pass ids, not people's data.
        Raises AppError 503 when the queue is full.
        """
        if _outbox is None:
            raise RuntimeError("tasks are queued only after create_app has set up app.jobs")
        bound = inspect.signature(self.function).bind(_outbox.services, *args, **kwargs)
        _, *names = bound.signature.parameters
        arguments = {name: bound.arguments[name] for name in names if name in bound.arguments}
        job = self._job(json.loads(json.dumps(arguments)), _outbox.services.settings.default_tenant)
        session = current_session.get()
        if session is None:
            async with _outbox.services.database.session() as session:
                await _outbox.store.add(session, job)
        else:
            await _outbox.store.add(session, job)
        return job.id

    def _job(self, arguments: dict[str, Any], default_tenant: str) -> Job:
        context = structlog.contextvars.get_contextvars()
        now = utcnow()
        return Job(
            id=uuid.uuid4().hex,
            tenant_id=context.get("tenant", default_tenant),
            queue=self.queue,
            task=self.name,
            arguments=arguments,
            correlation_id=context.get("correlation_id") or uuid.uuid4().hex,
            state="ready",
            attempts=0,
            max_attempts=self.max_attempts,
            run_at=now,
            created_at=now,
        )


def task(
    name: str,
    *,
    queue: str = "default",
    max_attempts: int = 5,
    timeout_seconds: float = 120,
    on_dead: Callable[Concatenate[Services, P], Awaitable[None]] | None = None,
) -> Callable[[Callable[Concatenate[Services, P], Awaitable[None]]], Task[P]]:
    """Register an async function `(services, ...)` under `name`, which stays when it moves."""

    def register(function: Callable[Concatenate[Services, P], Awaitable[None]]) -> Task[P]:
        if name in TASKS:
            raise ValueError(f"two tasks are called {name!r}")
        made = Task(name, queue, max_attempts, timeout_seconds, function, on_dead)
        TASKS[name] = made
        return made

    return register
