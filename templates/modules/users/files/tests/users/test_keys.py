"""Keys of a tenant: scoped, expiring, renewed with an overlap; kept as a hash."""

from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from app.core.access import Access
from app.core.db import Database, utcnow
from app.core.principal import Principal
from app.core.problems import AppError
from app.users import keys
from app.users.directory import suspend_tenant
from app.users.models import ApiKey
from tests.users.conftest import ADA, ROOT, TABLE, audited

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


@pytest.fixture
async def secret(database: Database, table: Access) -> str:
    async with database.session() as session:
        return await keys.create(session, table, ROOT, "robot", ["metrics:read"], DAY)


async def status(client: httpx2.AsyncClient, secret: str, path: str = "/metrics") -> int:
    answer = await client.get(path, headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code


async def only_key(database: Database) -> ApiKey:
    async with database.reader() as session:
        return (await session.scalars(select(ApiKey).order_by(ApiKey.created_at))).all()[0]


async def test_a_key_may_what_it_was_made_for(
    client: httpx2.AsyncClient, database: Database, secret: str
) -> None:
    assert await status(client, secret) == 200
    assert await status(client, secret, "/people") == 403
    row = await only_key(database)
    assert row.used_at is not None
    for wrong in (secret[:-1], secret + "x", f"key_{row.id}_", "key_", "key_' or 1=1 --_x"):
        assert await status(client, wrong) == 401


async def test_a_key_is_kept_as_a_hash(database: Database, secret: str) -> None:
    async with database.reader() as session:
        for table in ("users_keys", "audit_entries"):
            for row in await session.execute(text(f"select * from {table}")):  # noqa: S608
                assert secret.rpartition("_")[2] not in str(row)


async def test_a_key_expires_and_a_tenant_that_is_out_has_none(
    client: httpx2.AsyncClient, database: Database, secret: str
) -> None:
    async with database.session() as session:
        await suspend_tenant(session, ROOT, True)
    assert await status(client, secret) == 401
    async with database.session() as session:
        await suspend_tenant(session, ROOT, False)
    assert await status(client, secret) == 200
    async with database.session() as session:
        row = (await session.scalars(select(ApiKey))).one()
        row.expires_at = utcnow()
    assert await status(client, secret) == 401


async def test_rotation_lets_both_work_for_a_while(
    client: httpx2.AsyncClient, database: Database, secret: str
) -> None:
    old = await only_key(database)
    before = await audited(database)
    async with database.session() as session:
        new = await keys.rotate(session, ROOT, old.id, DAY, timedelta(seconds=60))
    assert [await status(client, key) for key in (secret, new)] == [200, 200]
    assert await audited(database) == before + 1
    async with database.session() as session:
        newer = await keys.rotate(session, ROOT, old.id, DAY, timedelta(0))
    assert [await status(client, key) for key in (secret, new, newer)] == [401, 200, 200]


async def test_48_another_tenants_key_is_not_there(database: Database, secret: str) -> None:
    row = await only_key(database)
    stranger = Principal("other", "eve", scopes=frozenset(TABLE.scopes))
    for refused in (
        lambda session: keys.rotate(session, stranger, row.id, DAY, DAY),
        lambda session: keys.revoke(session, stranger, row.id),
    ):
        with pytest.raises(AppError, match="No such key"):
            async with database.session() as session:
                await refused(session)


async def test_nobody_makes_or_renews_a_key_that_may_more(
    database: Database, table: Access, secret: str
) -> None:
    weak = Principal("acme", "eve", scopes=frozenset({"keys:write"}))
    row = await only_key(database)
    for refused in (
        lambda session: keys.create(session, table, weak, "k", ["metrics:read"], DAY),
        lambda session: keys.rotate(session, weak, row.id, DAY, DAY),
    ):
        with pytest.raises(AppError, match="metrics:read"):
            async with database.session() as session:
                await refused(session)
    with pytest.raises(AppError, match="No such scope"):
        async with database.session() as session:
            await keys.create(session, table, ADA, "k", ["gone:read"], DAY)


async def test_a_key_cannot_do_what_asks_for_a_person(
    app: FastAPI, client: httpx2.AsyncClient, database: Database, table: Access
) -> None:
    async with database.session() as session:
        strong = await keys.create(session, table, ROOT, "k", ["keys:write"], DAY)
    done = await client.post(
        "/keys",
        data={"name": "more", "scopes": "keys:write"},
        headers={"Authorization": f"Bearer {strong}"},
    )
    assert done.status_code == 401
    assert "insufficient_user_authentication" in done.headers["www-authenticate"]
