"""Workers as processes of their own, the commands, and the route."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from app.cli import main
from app.main import create_app
from app.settings import Settings
from tests.conftest import SIGNED_IN
from tests.jobs.conftest import Queue, until
from tests.jobs.tasks import append, fragile, journal, note

WORKER = "import tests.jobs.tasks; from app.cli import main; main()"


@contextmanager
def working(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """`app worker` as a process of its own; it is gone afterwards, whatever happened."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "JOBS_LEASE_SECONDS": "1",
        "JOBS_HEARTBEAT_SECONDS": "0.3",
        "JOBS_CONCURRENCY": '{"inference": 1, "default": 2}',
    }
    with subprocess.Popen(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", WORKER, "worker"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_killed_worker_loses_no_job(
    queue: Queue, settings: Settings, tmp_path: Path
) -> None:
    wanted = [str(n) for n in range(10)]
    keys = [await append.enqueue(str(tmp_path), line) for line in wanted]

    async def two_are_held() -> bool:
        return await queue.count("running") == 2

    with working(settings) as killed:
        await until(two_are_held, seconds=30)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    (tmp_path / "gate").touch()
    await queue.work_off()
    attempts = [(await queue.job(key)).attempts for key in keys]
    assert sorted(attempts) == [1] * 8 + [2] * 2, "what the killed one held was run again"
    assert sorted((tmp_path / "lines").read_text().split()) == wanted
    assert await queue.count("done") == len(wanted)


@pytest.mark.slow
async def test_a_worker_told_to_stop_finishes_and_exits_0(
    queue: Queue, settings: Settings, tmp_path: Path
) -> None:
    keys = [await append.enqueue(str(tmp_path), line) for line in "ab"]

    async def two_are_held() -> bool:
        return await queue.count("running") == 2

    with working(settings) as process:
        await until(two_are_held, seconds=30)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert process.poll() is None, "it waits for its jobs"
        (tmp_path / "gate").touch()
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "working on inference, default" in output
    assert {(await queue.job(key)).state for key in keys} == {"done"}


async def test_the_web_process_works_jobs_off_and_shows_them(settings: Settings) -> None:
    journal.clear()
    app = create_app(settings.model_copy(update={"in_process_workers": True}))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://test", headers=SIGNED_IN
        ) as client,
    ):
        key = await note.enqueue("x")

        async def done() -> bool:
            return (await client.get(f"/jobs/{key}")).json()["state"] == "done"

        await until(done)
        metrics = (await client.get("/metrics")).text
    assert 'jobs_total{outcome="done",task="test.note"} 1.0' in metrics
    assert 'jobs_depth{queue="default",state="ready"}' in metrics


async def test_a_job_is_shown_to_its_tenant_only(client: httpx2.AsyncClient, app: FastAPI) -> None:
    import structlog

    key = await note.enqueue("secret")
    with structlog.contextvars.bound_contextvars(tenant="other"):
        hidden = await note.enqueue("secret")
    shown = await client.get(f"/jobs/{key}")
    assert (shown.status_code, shown.json()["state"]) == (200, "ready")
    assert "secret" not in shown.text
    assert (await client.get(f"/jobs/{hidden}")).status_code == 404


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)

    async def invoke(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, main, list(arguments))
        return result.exit_code, result.output

    return invoke


async def test_commands_list_count_and_revive(queue: Queue, run) -> None:
    assert await run("jobs", "stats") == (0, "nothing waits, runs or has died\n")
    journal.fail = True
    key = await fragile.enqueue("jane@example.com")
    await queue.work_off()
    await note.enqueue(1)
    code, output = await run("jobs", "list", "--state", "dead")
    assert code == 0
    assert key in output
    assert "ValueError" in output
    assert "jane" not in output
    assert (await run("jobs", "stats"))[1].split() == [
        "default",
        "dead",
        "1",
        "default",
        "ready",
        "1",
    ]
    assert (await run("jobs", "retry"))[0] == 2
    assert (await run("jobs", "retry", "0" * 32))[0] == 1
    assert (await run("jobs", "retry", key))[0] == 0
    assert (await queue.job(key)).state == "ready"
    assert (await run("jobs", "retry", "--all"))[1].startswith("0 dead jobs")


async def test_mistakes_become_messages(run, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    code, output = await run("worker", "--queues", "default,nope")
    assert (code, output.splitlines()[0]) == (
        1,
        "Error: no queue nope; JOBS_CONCURRENCY names: inference, default",
    )
    monkeypatch.setenv("JOBS_CONCURRENCY", '{"inference": 0}')
    code, output = await run("jobs", "stats")
    assert code == 1
    assert output.startswith("Error: JOBS_CONCURRENCY.inference: Input should be greater")
    monkeypatch.setenv("JOBS_CONCURRENCY", "4")
    assert (await run("jobs", "stats"))[1].startswith("Error: JOBS_CONCURRENCY")
    monkeypatch.delenv("JOBS_CONCURRENCY")
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/new.db")
    code, output = await run("jobs", "list")
    assert code == 1
    assert "app db upgrade" in output
