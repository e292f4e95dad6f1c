"""The queue in SQL: every statement that touches the table, for SQLite and PostgreSQL alike."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import CursorResult, Update, delete, event, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database, utcnow
from app.core.problems import AppError
from app.core.wall import everybody
from app.jobs.models import Job
from app.jobs.settings import JobsSettings

RETRY_AFTER_SECONDS = 5
_PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job under a lease. `token` fences it: whoever took the job over has another."""

    id: str
    tenant_id: str
    queue: str
    task: str
    arguments: dict[str, Any]
    correlation_id: str
    attempts: int
    max_attempts: int
    token: str


# As Claimed has them; the token is the claim's own.
_CLAIMED: tuple[Any, ...] = (
    Job.id,
    Job.tenant_id,
    Job.queue,
    Job.task,
    Job.arguments,
    Job.correlation_id,
    Job.attempts,
    Job.max_attempts,
)


class JobStore:
    """Puts jobs into the table and moves them through their states.

    `on_ready` is called with a queue's name once a job for it is committed by this process.
    """

    def __init__(self, database: Database, settings: JobsSettings) -> None:
        self._database = database
        self._settings = settings
        self._lease = timedelta(seconds=settings.lease_seconds)
        self.on_ready: list[Callable[[str], None]] = []

    async def add(self, session: AsyncSession, job: Job) -> None:
        """Add `job` to the transaction of `session`, with its turn among its tenant's jobs.

        Raises AppError 503 when the queue is full. On PostgreSQL, transactions that are open at
        the same time do not see each other: it may overflow by as many as there are connections.
        """
        waiting = (Job.queue == job.queue, Job.state == "ready")
        # Looks at max_depth entries of an index at the very most, and at those present otherwise.
        full = select(literal(1)).where(*waiting).offset(self._settings.max_depth - 1).limit(1)
        first = select(func.min(Job.turn)).where(*waiting)
        last = select(func.max(Job.turn)).where(*waiting, Job.tenant_id == job.tenant_id)
        looks = select(full.scalar_subquery(), first.scalar_subquery(), last.scalar_subquery())
        async with everybody(session):
            row = (await session.execute(looks)).one()
        is_full, first_turn, last_turn = row
        if is_full:
            raise AppError(
                503,
                "Too much to do",
                f"The queue {job.queue} is full. Try again in a few seconds.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        job.turn = max(first_turn or 0, 0 if last_turn is None else last_turn + 1)
        session.add(job)
        await session.flush()
        queues: set[str] = session.info.setdefault("queues_with_new_jobs", set())
        if not queues:
            event.listen(session.sync_session, "after_commit", lambda _: self._announce(queues))
        queues.add(job.queue)

    def _announce(self, queues: set[str]) -> None:
        for queue in queues:
            for listener in self.on_ready:
                listener(queue)

    async def has_due(self, queue: str) -> bool:
        """Look for a job that may start, without waiting for any writer."""
        due = select(literal(1)).where(*_due(queue)).limit(1)
        async with self._database.reader() as session:
            return await session.scalar(due) is not None

    async def claim(self, queue: str, limit: int) -> list[Claimed]:
        """Take up to `limit` jobs under a lease; no two claims ever get the same job."""
        token = uuid4().hex
        picked = (
            select(Job.id)
            .where(*_due(queue))
            .order_by(Job.turn, Job.run_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite has one writer at a time and needs none
            .cte("picked")
        )
        statement = (
            update(Job)
            .where(Job.id.in_(select(picked.c.id)))
            .values(
                state="running",
                attempts=Job.attempts + 1,
                lease_token=token,
                lease_until=utcnow() + self._lease,
            )
            .returning(*_CLAIMED)
            .execution_options(synchronize_session=False)
        )
        async with self._database.session() as session:
            rows = (await session.execute(statement)).all()
        return [Claimed(*row, token=token) for row in rows]

    async def renew(self, held: Collection[Claimed]) -> set[str]:
        """Extend the leases of `held`; return the ids of those that are still held."""
        statement = (
            update(Job)
            .where(
                Job.id.in_([job.id for job in held]),
                Job.lease_token.in_({job.token for job in held}),
            )
            .values(lease_until=utcnow() + self._lease)
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
        async with self._database.session() as session:
            return set((await session.scalars(statement)).all())

    async def finish(self, job: Claimed) -> bool:
        """Mark `job` done. False, and nothing changed, when its lease was lost."""
        return await self._change(job, state="done", finished_at=utcnow())

    async def postpone(self, job: Claimed, seconds: float, error: str) -> bool:
        """Put `job` back for another attempt. False when its lease was lost."""
        due = utcnow() + timedelta(seconds=seconds)
        return await self._change(job, state="ready", run_at=due, last_error=error[:500])

    async def bury(self, job: Claimed, error: str) -> bool:
        """Give `job` up: it stays, dead, until retried. False when its lease was lost."""
        return await self._change(job, state="dead", finished_at=utcnow(), last_error=error[:500])

    async def release(self, job: Claimed) -> bool:
        """Hand `job` back unfinished, as if this attempt had not begun."""
        return await self._change(job, state="ready", run_at=utcnow(), attempts=job.attempts - 1)

    async def take_back(self, queues: Collection[str]) -> int:
        """Return jobs whose worker fell silent to their queue; return how many there were."""
        expired = (
            Job.queue.in_(queues),
            Job.state == "running",
            Job.lease_until < utcnow(),
        )
        async with self._database.reader() as session:
            if await session.scalar(select(literal(1)).where(*expired).limit(1)) is None:
                return 0
        return await self._update(
            update(Job)
            .where(*expired)
            .values(state="ready", run_at=utcnow(), lease_token=None, lease_until=None)
        )

    async def retry_dead(self, ids: Collection[str] | None = None) -> int:
        """Give dead jobs (all when `ids` is None) a full set of attempts; return how many."""
        statement = update(Job).where(Job.state == "dead")
        if ids is not None:
            statement = statement.where(Job.id.in_(ids))
        return await self._update(
            statement.values(state="ready", attempts=0, run_at=utcnow(), finished_at=None)
        )

    async def prune(self) -> int:
        """Delete jobs that were done long ago, a limited number at once; return how many."""
        old = utcnow() - timedelta(hours=self._settings.keep_done_hours)
        ids = (
            select(Job.id)
            .where(Job.state == "done", Job.finished_at < old)
            .limit(_PRUNED_AT_ONCE)
            .scalar_subquery()
        )
        async with self._database.session() as session:
            result = await session.execute(delete(Job).where(Job.id.in_(ids)))
        return cast(CursorResult[Any], result).rowcount

    async def depths(self) -> dict[tuple[str, str], int]:
        """Return the number of jobs by (queue, state), without those that are done."""
        statement = (
            select(Job.queue, Job.state, func.count())
            .where(Job.state != "done")
            .group_by(Job.queue, Job.state)
        )
        async with self._database.reader() as session:
            rows = (await session.execute(statement)).all()
        return {(queue, state): count for queue, state, count in rows}

    async def _change(self, job: Claimed, **values: Any) -> bool:
        statement = (
            update(Job)
            .where(Job.id == job.id, Job.lease_token == job.token)
            .values(lease_token=None, lease_until=None, **values)
        )
        return await self._update(statement) == 1

    async def _update(self, statement: Update) -> int:
        async with self._database.session() as session:
            result = await session.execute(
                statement, execution_options={"synchronize_session": False}
            )
        return cast(CursorResult[Any], result).rowcount


def _due(queue: str) -> tuple[Any, ...]:
    return Job.queue == queue, Job.state == "ready", Job.run_at <= utcnow()
