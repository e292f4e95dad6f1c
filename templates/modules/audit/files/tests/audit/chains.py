"""What must hold of the audit on every database; test_log.py and test_postgres.py call it."""

import asyncio
import multiprocessing
from collections.abc import Iterable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.audit.chain import Anchor
from app.audit.log import record, verify
from app.core.db import Database
from app.core.principal import Principal

ADA = Principal("default", "ada")


async def write(database: Database, count: int, action: str = "thing.change") -> None:
    for n in range(count):
        async with database.session() as session:
            await record(session, ADA, action, f"thing:{n}", before={"n": n}, after={"n": n + 1})


async def checked(database: Database, known: Anchor | None = None) -> tuple[Anchor, list[str]]:
    async with database.reader() as session:
        return await verify(session, known)


def _write_elsewhere(url: str, count: int) -> None:
    async def run() -> None:
        database = Database(url)
        await asyncio.gather(*(write(database, count) for _ in range(3)))
        await database.close()

    asyncio.run(run())


async def many_writers_make_one_chain(database: Database, processes: int, count: int) -> None:
    """Several processes with several writers each, while somebody verifies."""
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=_write_elsewhere, args=(database.url, count))
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    while any(process.is_alive() for process in started):
        assert (await checked(database))[1] == []
        await asyncio.sleep(0.05)
    assert [process.exitcode for process in started] == [0] * processes
    head, found = await checked(database)
    assert (head.seq, found) == (processes * 3 * count, [])


async def refuses(database: Database, statements: Iterable[str]) -> None:
    """The database itself refuses each, and nothing changed."""
    before = await checked(database)
    for statement in statements:
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            async with database.session() as session:
                await session.execute(text(statement))
    assert await checked(database) == before


FORBIDDEN = (
    "update audit_entries set actor = 'eve' where seq = 1",
    "delete from audit_entries where seq = 3",
    "delete from audit_head",
    "update audit_head set seq = 1",
    "insert into audit_head (id, seq, hash) values (2, 0, '')",
)
