"""Putting jobs into the queue: with their transaction, not too many, and fairly."""

import asyncio
from typing import Any, cast

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import event, select

from app.core.db import SessionDep, utcnow
from app.core.models import IdempotencyRecord
from app.core.problems import AppError
from app.jobs.task import TASKS, task
from tests.jobs.conftest import MakeQueue, Queue, until
from tests.jobs.tasks import journal, note, quick


def record(key: str) -> IdempotencyRecord:
    """A row of another feature, written in the same transaction."""
    return IdempotencyRecord(
        tenant_id="t",
        path="/",
        key=key,
        request_digest="",
        status=200,
        body="",
        created_at=utcnow(),
    )


async def test_a_job_commits_with_its_transaction_or_not_at_all(queue: Queue) -> None:
    with pytest.raises(RuntimeError):
        async with queue.database.session() as session:
            session.add(record("lost"))
            await note.enqueue("lost")
            raise RuntimeError
    async with queue.database.session() as session:
        session.add(record("kept"))
        key = await note.enqueue("kept")
        assert await queue.count("ready") == 0, "not visible before the commit"
    assert (await queue.job(key)).arguments == {"value": "kept"}
    assert await queue.count("ready") == 1
    await queue.work_off()
    assert journal.calls == ["kept"]


async def test_without_a_transaction_it_commits_by_itself(queue: Queue) -> None:
    job = await queue.job(await note.enqueue(value=[1, {"a": None}]))
    assert (job.state, job.arguments) == ("ready", {"value": [1, {"a": None}]})


async def test_wrong_arguments_are_refused_where_they_are_passed(queue: Queue) -> None:
    with pytest.raises(TypeError):
        await note.enqueue(nothing=1)  # pyrefly: ignore
    with pytest.raises(TypeError, match="JSON"):
        await note.enqueue(object())
    assert await queue.count("ready") == 0


async def test_a_commit_wakes_the_worker(make_queue: MakeQueue) -> None:
    queue = make_queue(poll_seconds=30, poll_limit_seconds=30)
    async with queue.worker().running():
        await asyncio.sleep(0.1)  # it has looked once, and now it sleeps
        async with queue.database.session() as session:
            await note.enqueue("a")
            async with session.begin_nested():
                session.add(record("a"))
        await until(lambda: journal.calls == ["a"], seconds=2)


async def test_tenant_and_correlation_id_travel_with_the_job(queue: Queue) -> None:
    with structlog.contextvars.bound_contextvars(correlation_id="order-4711", tenant="acme"):
        key = await note.enqueue("x")
    await queue.work_off()
    (context,) = journal.contexts
    assert (context["correlation_id"], context["tenant"]) == ("order-4711", "acme")
    assert (context["job"], context["task"], context["attempt"]) == (key, "test.note", 1)
    await note.enqueue("y")
    await queue.work_off()
    assert journal.contexts[1]["tenant"] == "default"
    assert len(journal.contexts[1]["correlation_id"]) == 32


async def test_a_full_queue_refuses_with_its_transaction(make_queue: MakeQueue) -> None:
    queue = make_queue(max_depth=3)
    for n in range(3):
        await note.enqueue(n)
    app = cast(FastAPI, _app_writing_a_record())
    app.state.services = queue.services
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        refused = await client.post("/records")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert await queue.count("ready") == 3
        await queue.work_off()
        assert (await client.post("/records")).status_code == 200
    async with queue.database.reader() as session:
        assert len(list(await session.scalars(select(IdempotencyRecord)))) == 1


def _app_writing_a_record() -> FastAPI:
    from app.core import problems

    app = FastAPI()
    problems.setup(app)

    @app.post("/records")
    async def write(session: SessionDep) -> None:
        session.add(record("r"))
        await note.enqueue("r")

    return app


async def test_the_limit_holds_for_parallel_writers(make_queue: MakeQueue) -> None:
    queue = make_queue(max_depth=10)
    results = await asyncio.gather(*(note.enqueue(n) for n in range(30)), return_exceptions=True)
    assert sum(isinstance(result, AppError) for result in results) == 20
    assert await queue.count("ready") == 10


async def test_a_flood_of_one_tenant_does_not_delay_another(queue: Queue) -> None:
    async def order(count: int) -> str:
        return "".join([job.tenant_id for _ in range(count) for job in await claim()])

    async def claim():
        return await queue.store.claim("default", 1)

    async def flood(tenant: str, count: int) -> None:
        with structlog.contextvars.bound_contextvars(tenant=tenant):
            async with queue.database.session():
                for _ in range(count):
                    await quick.enqueue()

    await flood("a", 500)
    await flood("b", 3)
    assert await order(8) == "abababaa"
    await order(200)
    # Who comes late, in the middle of the flood, is not behind it and not ahead of everybody.
    await flood("c", 2)
    await flood("b", 2)
    assert [sorted(await order(3)) for _ in range(2)] == [["a", "b", "c"]] * 2
    assert await order(3) == "aaa"


async def test_two_tasks_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="are called"):
        task("test.note")(note.function)


async def test_a_task_without_a_queue_is_seen_at_start(make_queue: MakeQueue) -> None:
    queue = make_queue(concurrency={"default": 1})
    assert TASKS["test.think"].queue == "inference"
    with pytest.raises(RuntimeError, match="inference"):
        async with queue.worker().running():
            pass


async def test_no_statement_of_a_job_reads_the_whole_table(queue: Queue) -> None:
    seen: list[tuple[str, Any]] = []

    def note_it(_connection, _cursor, statement: str, parameters, *_) -> None:
        if "jobs" in statement and not statement.startswith("INSERT"):
            seen.append((statement, parameters))

    event.listen(queue.database.engine.sync_engine, "before_cursor_execute", note_it)
    await note.enqueue(1)
    assert await queue.store.has_due("default")
    (job,) = await queue.store.claim("default", 5)
    await queue.store.renew([job])
    await queue.store.take_back(["default"])
    await queue.store.finish(job)
    await queue.store.prune()
    event.remove(queue.database.engine.sync_engine, "before_cursor_execute", note_it)
    assert len(seen) == 7
    async with queue.database.engine.connect() as connection:
        for statement, parameters in seen:
            plan = await connection.exec_driver_sql(f"explain query plan {statement}", parameters)
            steps = " / ".join(plan.scalars("detail"))
            assert "SCAN jobs" not in steps, f"{steps}\n{statement}"
            assert "B-TREE FOR ORDER" not in steps, f"{steps}\n{statement}"
