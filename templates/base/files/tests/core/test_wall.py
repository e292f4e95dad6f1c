"""The second wall, on PostgreSQL.

A query that forgets its tenant sees nothing of others, in every table that there is.
"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.db import Database
from app.core.wall import EVERYBODY, current_tenant, everybody
from tests.core.rows import fill, tables
from tests.postgres import ON_POSTGRES

pytestmark = [*ON_POSTGRES, pytest.mark.anyio]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_url)
    async with database.session() as session:
        await fill(session, "a", "b")
    yield database
    await database.close()


async def tenants_seen(database: Database, table: str) -> set[str]:
    async with database.reader() as session:
        rows = await session.scalars(text(f"select tenant_id from {table}"))  # noqa: S608
        return set(rows)


async def test_48_a_query_that_forgets_its_tenant_reaches_one_tenant(database: Database) -> None:
    for table in tables():
        assert await tenants_seen(database, table.name) == {"a", "b"}, "the application itself"
    for tenant in ("a", "b", "nobody"):
        token = current_tenant.set(tenant)
        for table in tables():
            assert await tenants_seen(database, table.name) == {tenant} - {"nobody"}, table.name
        current_tenant.reset(token)


async def test_48_nothing_of_others_is_changed_removed_or_made(database: Database) -> None:
    token = current_tenant.set("a")
    for table in tables():
        for statement in (
            f"update {table.name} set tenant_id = 'a'",  # noqa: S608
            f"delete from {table.name}",  # noqa: S608
            f"insert into {table.name} (tenant_id) values ('b')",  # noqa: S608
            f"truncate {table.name}",
            f"alter table {table.name} disable row level security",
        ):
            try:
                async with database.session() as session:
                    await session.execute(text(statement))
            except DBAPIError:
                continue  # refused; what was not, must not have reached others
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.session() as session:
            await session.execute(
                text(
                    "insert into ai_budget_days (tenant_id, day, tokens, micro_usd)"
                    " values ('b', '2026-01-01', 1, 1)"
                )
            )
    current_tenant.reset(token)
    for table in tables():
        assert "b" in await tenants_seen(database, table.name), table.name


async def test_the_wall_is_put_back_after_a_look_over_it(database: Database) -> None:
    token = current_tenant.set("a")
    async with database.session() as session:
        count = text("select count(*) from ai_budget_days")
        async with everybody(session):
            assert await session.scalar(count) == 2
        assert await session.scalar(count) == 1
    current_tenant.reset(token)
    assert current_tenant.get() == EVERYBODY


async def test_without_a_tenant_nothing_is_seen(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("set local role app_tenant"))
        for table in tables():
            count = text(f"select count(*) from {table.name}")  # noqa: S608
            assert await connection.scalar(count) == 0, table.name
