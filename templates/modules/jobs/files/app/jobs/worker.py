"""Works off the queues: claims, runs, renews leases, and hands back what it cannot finish."""

import asyncio
import secrets
import time
import traceback
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from app.core.problems import AppError
from app.core.wall import current_tenant
from app.jobs.settings import JobsSettings
from app.jobs.store import Claimed, JobStore
from app.jobs.task import TASKS
from app.services import Services

log = structlog.get_logger(__name__)

_PRUNE_SECONDS = 60
_APP = Path(__file__).parents[1]
_random = secrets.SystemRandom()


class UnknownTask(Exception):  # noqa: N818  says what it is
    """No task of this name here: an older version runs beside a newer one, or it was renamed."""


@dataclass(slots=True)
class Lane:
    """One queue in this process: at most `cap` of its jobs run at a time."""

    queue: str
    cap: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Worker:
    """Runs jobs of `queues` inside `async with worker.running()`. Any number may share a database.

    A job is run at least once: again when its worker died, or lost its lease before it could say
    that it was done.
    """

    def __init__(
        self,
        services: Services,
        store: JobStore,
        settings: JobsSettings,
        queues: Collection[str] | None = None,
    ) -> None:
        self._services = services
        self._store = store
        self._settings = settings
        names = settings.concurrency if queues is None else queues
        self._lanes = {name: Lane(name, settings.concurrency[name]) for name in names}
        self._held: dict[str, tuple[Claimed, asyncio.Task[None]]] = {}
        self._stopping = False
        self._jobs = services.metrics.counter("jobs_total", "Attempts at jobs", ("task", "outcome"))
        self._seconds = services.metrics.histogram(
            "job_seconds", "Time of one attempt at a job", ("task",)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until left; then wait `stop_seconds` for running jobs and hand back the others."""
        if lost := sorted({t.queue for t in TASKS.values()} - self._settings.concurrency.keys()):
            raise RuntimeError(f"JOBS_CONCURRENCY names no queue {', '.join(lost)}, but tasks do")
        self._store.on_ready.append(self._wake)
        lanes = [asyncio.create_task(self._work(lane)) for lane in self._lanes.values()]
        upkeep = [asyncio.create_task(self._renew()), asyncio.create_task(self._tidy())]
        try:
            yield
        finally:
            self._stopping = True
            self._store.on_ready.remove(self._wake)
            for name in self._lanes:
                self._wake(name)
            # Not cancelled: a claim cut short would leave its jobs waiting for their lease to end.
            await asyncio.wait(lanes)
            await self._drain()
            for task in upkeep:
                task.cancel()
            await asyncio.wait(upkeep)

    def _wake(self, queue: str) -> None:
        if lane := self._lanes.get(queue):
            lane.wake.set()

    async def _drain(self) -> None:
        running = {task for lane in self._lanes.values() for task in lane.tasks}
        if not running:
            return
        await asyncio.wait(running, timeout=self._settings.stop_seconds)
        unfinished = list(self._held.values())
        for _, task in unfinished:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for job, _ in unfinished:
            await self._store.release(job)
        log.info("worker_stopped", handed_back=len(unfinished))

    async def _work(self, lane: Lane) -> None:
        pause = self._settings.poll_seconds
        look_first = False
        while not self._stopping:
            lane.wake.clear()
            free = lane.cap - len(lane.tasks)
            jobs: list[Claimed] = []
            try:
                if free and not (look_first and not await self._store.has_due(lane.queue)):
                    jobs = await self._store.claim(lane.queue, free)
            except Exception as error:
                # The database is away, or busy beyond its timeout: it will be back.
                log.error("queue_unreadable", queue=lane.queue, error=describe(error))
            for job in jobs:
                self._start(lane, job)
            # Nothing more is due, or no slot is free: until that changes, or it is time to look.
            if await _wait(lane.wake, pause):
                pause, look_first = self._settings.poll_seconds, False
            else:
                pause, look_first = min(pause * 1.5, self._settings.poll_limit_seconds), True

    def _start(self, lane: Lane, job: Claimed) -> None:
        task = asyncio.create_task(self._run(job))
        self._held[job.id] = job, task
        lane.tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            lane.tasks.discard(task)
            lane.wake.set()

        task.add_done_callback(ended)

    async def _run(self, job: Claimed) -> None:
        current_tenant.set(job.tenant_id)
        with structlog.contextvars.bound_contextvars(
            correlation_id=job.correlation_id,
            tenant=job.tenant_id,
            job=job.id,
            task=job.task,
            attempt=job.attempts,
        ):
            started = time.perf_counter()
            outcome = "interrupted"
            try:
                outcome = await self._attempt(job)
            except Exception as error:
                # Its state could not be written. The lease ends by itself, and the job is repeated.
                outcome = "unsettled"
                log.error("job_unsettled", error=describe(error))
            finally:
                self._held.pop(job.id, None)
                seconds = time.perf_counter() - started
                name = job.task if job.task in TASKS else "unknown"
                self._jobs.labels(name, outcome).inc()
                self._seconds.labels(name).observe(seconds)
                log.info("job", outcome=outcome, ms=round(seconds * 1000, 1))

    async def _attempt(self, job: Claimed) -> str:
        if job.attempts > job.max_attempts:
            return await self._bury(job, f"lost its worker in attempt {job.max_attempts}")
        try:
            task = TASKS.get(job.task)
            if task is None:
                raise UnknownTask(job.task)
            async with asyncio.timeout(task.timeout_seconds):
                await task.function(self._services, **job.arguments)
        except Exception as error:
            reason = describe(error)
            # The traceback's frames without the message, which may quote somebody's data.
            stack = "".join(traceback.format_tb(error.__traceback__)[-8:])
            log.warning("job_failed", error=reason, stack=stack)
            if job.attempts >= job.max_attempts:
                return await self._bury(job, reason)
            self._held.pop(job.id)
            pause = self._backoff(job.attempts)
            return "failed" if await self._store.postpone(job, pause, reason) else "lost"
        self._held.pop(job.id)
        return "done" if await self._store.finish(job) else "lost"

    async def _bury(self, job: Claimed, reason: str) -> str:
        task: Any = TASKS.get(job.task)
        if task and task.on_dead:
            try:
                await task.on_dead(self._services, **job.arguments)
            except Exception as error:
                log.error("on_dead_failed", error=describe(error))
        self._held.pop(job.id)
        log.error("job_dead", error=reason)
        return "dead" if await self._store.bury(job, reason) else "lost"

    def _backoff(self, attempt: int) -> float:
        pause = self._settings.backoff_seconds * 2 ** (attempt - 1)
        return min(pause, self._settings.backoff_limit_seconds) * _random.uniform(0.5, 1)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            held = dict(self._held)
            if not held:
                continue
            try:
                kept = await self._store.renew([job for job, _ in held.values()])
            except Exception as error:
                log.error("leases_not_renewed", error=describe(error))
                continue
            # Somebody else has these by now. What is left of ours would only be repeated work.
            for key in held.keys() - kept:
                if self._held.get(key) is held[key]:
                    log.warning("lease_lost", job=key)
                    held[key][1].cancel()

    async def _tidy(self) -> None:
        pruned_at = float("-inf")
        while True:
            try:
                if count := await self._store.take_back(self._lanes):
                    log.warning("jobs_taken_over", count=count)
                    for queue in self._lanes:
                        self._wake(queue)
                if time.monotonic() - pruned_at > _PRUNE_SECONDS:
                    pruned_at = time.monotonic()
                    await self._store.prune()
                    depths = await self._store.depths()
                    waiting = sum(n for (_, state), n in depths.items() if state == "ready")
                    log.info("queue", waiting=waiting)
            except Exception as error:
                log.error("queue_untidied", error=describe(error))
            await asyncio.sleep(min(self._settings.lease_seconds / 5, 2))


def describe(error: BaseException) -> str:
    """Say what went wrong and where, without the message: it may quote somebody's data."""
    place = next(
        (
            f" at {Path(frame.filename).relative_to(_APP)}:{frame.lineno}"
            for frame in reversed(traceback.extract_tb(error.__traceback__))
            if Path(frame.filename).is_relative_to(_APP)
        ),
        "",
    )
    title = f" ({error.title})" if isinstance(error, AppError) else ""
    return f"{type(error).__name__}{title}{place}"


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
