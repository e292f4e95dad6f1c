"""Working jobs off: leases, retries, caps, and stopping."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.core.db import utcnow
from app.core.problems import AppError
from app.jobs.models import Job
from app.jobs.task import task
from app.jobs.worker import describe
from tests.jobs.conftest import MakeQueue, Queue, until
from tests.jobs.tasks import fragile, journal, note, quick, stuck, think

EMAIL = "jane@example.com"


async def test_a_failing_job_is_retried_then_dead_then_revived(queue: Queue) -> None:
    journal.fail = True
    key = await fragile.enqueue(email=EMAIL)
    await queue.work_off()
    job = await queue.job(key)
    assert (job.state, job.attempts, journal.calls) == ("dead", 3, [EMAIL] * 3)
    assert journal.dead == [EMAIL]
    assert job.last_error is not None
    assert job.last_error.startswith("ValueError")
    assert EMAIL not in job.last_error
    journal.fail = False
    assert await queue.store.retry_dead(["unknown"]) == 0
    assert await queue.store.retry_dead([key]) == 1
    await queue.work_off()
    job = await queue.job(key)
    assert (job.state, job.attempts, len(journal.calls)) == ("done", 1, 4)


async def test_pauses_between_attempts_grow(make_queue: MakeQueue) -> None:
    queue = make_queue(backoff_seconds=8, backoff_limit_seconds=20)
    pauses = [queue.worker()._backoff(attempt) for attempt in (1, 2, 3, 9)]
    for pause, longest in zip(pauses, (8, 16, 20, 20), strict=True):
        assert longest / 2 <= pause <= longest
    journal.fail = True
    key = await fragile.enqueue(EMAIL)
    async with queue.worker().running():
        await until(lambda: _has_state(queue, key, "ready", attempts=1))
        await asyncio.sleep(0.1)
    assert len(journal.calls) == 1, "not due yet"


async def _has_state(queue: Queue, key: str, state: str, attempts: int) -> bool:
    job = await queue.job(key)
    return (job.state, job.attempts) == (state, attempts)


async def test_an_attempt_has_a_time_limit(queue: Queue) -> None:
    key = await stuck.enqueue()
    await queue.work_off()
    job = await queue.job(key)
    assert job.state == "dead"
    assert "TimeoutError" in (job.last_error or "")


async def test_an_unknown_task_is_not_lost(queue: Queue) -> None:
    key = await note.enqueue(1)
    await _change(queue, task="from.a.newer.version", max_attempts=1)
    await queue.work_off()
    assert ((await queue.job(key)).last_error or "").startswith("UnknownTask")
    await _change(queue, task="test.note")
    await queue.store.retry_dead()
    await queue.work_off()
    assert journal.calls == [1]


async def _change(queue: Queue, **values) -> None:
    async with queue.database.session() as session:
        await session.execute(update(Job).values(**values))


async def test_a_lost_lease_is_taken_over_and_its_owner_fenced_off(queue: Queue) -> None:
    key = await note.enqueue(1)
    (first,) = await queue.store.claim("default", 5)
    assert await queue.store.claim("default", 5) == [], "held"
    assert await queue.store.take_back(["default"]) == 0, "the lease still runs"
    await _change(queue, lease_until=utcnow() - timedelta(seconds=1))
    assert await queue.store.take_back(["inference"]) == 0, "not this worker's queue"
    assert await queue.store.take_back(["default"]) == 1
    assert await queue.store.renew([first]) == set()
    (second,) = await queue.store.claim("default", 5)
    assert second.attempts == 2
    for late in (
        queue.store.finish(first),
        queue.store.postpone(first, 0, "x"),
        queue.store.bury(first, "x"),
        queue.store.release(first),
    ):
        assert not await late
    assert await queue.store.renew([first, second]) == {key}
    assert (await queue.job(key)).state == "running"
    assert await queue.store.finish(second)
    assert (await queue.job(key)).state == "done"


async def test_a_job_longer_than_its_lease_keeps_it(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_seconds=0.4, heartbeat_seconds=0.1)
    key = await quick.enqueue(1.0)
    async with queue.worker().running(), queue.worker().running():
        await until(queue.empty)
    assert journal.calls == ["default"]
    assert (await queue.job(key)).attempts == 1, "two workers looked, and one had it all the time"


async def test_a_worker_stops_a_job_whose_lease_it_lost(queue: Queue) -> None:
    key = await quick.enqueue(30)
    async with queue.worker(heartbeat_seconds=0.05).running():
        await until(lambda: _has_state(queue, key, "running", attempts=1))
        await _change(queue, lease_token="another's")
        await until(lambda: journal.running["default"] == 0, seconds=2)
    assert (await queue.job(key)).lease_token == "another's"


async def test_a_job_that_kills_its_workers_is_given_up(queue: Queue) -> None:
    key = await fragile.enqueue(EMAIL)
    await _change(queue, attempts=3)
    await queue.work_off()
    job = await queue.job(key)
    assert (job.state, journal.calls, journal.dead) == ("dead", [], [EMAIL])
    assert "lost its worker" in (job.last_error or "")


async def test_caps_hold_and_slow_jobs_do_not_delay_another_queue(make_queue: MakeQueue) -> None:
    queue = make_queue(concurrency={"inference": 3, "default": 2})
    for _ in range(9):
        await think.enqueue()
    for _ in range(8):
        await quick.enqueue()
    async with queue.worker().running():
        await until(lambda: journal.calls == ["default"] * 8)
        assert journal.running["inference"] == 3, "all the while, and none of them is done"
        journal.gate.set()
        await until(queue.empty)
    assert journal.peak == {"inference": 3, "default": 2}
    assert len(journal.calls) == 17


async def test_stopping_waits_and_hands_back_the_rest(queue: Queue) -> None:
    short, long = await quick.enqueue(0.3), await quick.enqueue(30)
    async with queue.worker(stop_seconds=0.6).running():
        await until(lambda: journal.running["default"] == 2)
    done, handed_back = await queue.job(short), await queue.job(long)
    assert done.state == "done"
    assert (handed_back.state, handed_back.attempts) == ("ready", 0)
    assert handed_back.lease_token is None


async def test_work_goes_on_after_the_database_was_away(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = queue.worker()
    claim, refusals = worker._store.claim, iter([OSError("gone")] * 2)

    async def unreliable(name: str, limit: int):
        for error in refusals:
            raise error
        return await claim(name, limit)

    monkeypatch.setattr(worker._store, "claim", unreliable)
    await note.enqueue(1)
    async with worker.running():
        await until(queue.empty)
    assert journal.calls == [1]


async def test_old_done_jobs_are_deleted_and_others_kept(queue: Queue) -> None:
    old, dead, fresh = [await note.enqueue(n) for n in range(3)]
    await queue.work_off()
    long_ago = utcnow() - timedelta(hours=25)
    async with queue.database.session() as session:
        for key, state in ((old, "done"), (dead, "dead")):
            await session.execute(
                update(Job).where(Job.id == key).values(state=state, finished_at=long_ago)
            )
    assert await queue.store.prune() == 1
    assert {(await queue.job(key)).state for key in (dead, fresh)} == {"dead", "done"}


def test_an_error_is_described_without_its_message() -> None:
    error = AppError(503, "Too busy", f"{EMAIL} has to wait")
    assert describe(error) == "AppError (Too busy)"
    with pytest.raises(ValueError) as raised:
        task("test.note")(note.function)
    assert re.fullmatch(r"ValueError at jobs/task\.py:\d+", describe(raised.value))
