"""Transactions and migrations."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from app.core import migrate
from app.core.db import Database, current_session, utcnow
from app.core.models import IdempotencyRecord
from app.core.problems import AppError


def record(key: str) -> IdempotencyRecord:
    return IdempotencyRecord(
        tenant_id="t",
        path="/",
        key=key,
        request_digest="",
        status=200,
        body="",
        created_at=utcnow(),
    )


async def count(database: Database) -> int:
    async with database.reader() as session:
        return await session.scalar(select(func.count()).select_from(IdempotencyRecord)) or 0


async def test_an_error_rolls_back_and_times_come_back_aware(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.session() as session:
            session.add(record("a"))
            raise RuntimeError
    assert await count(database) == 0
    async with database.session() as session:
        assert current_session.get() is session
        session.add(record("b"))
    assert current_session.get() is None
    async with database.reader() as session:
        stored = await session.scalar(select(IdempotencyRecord))
    assert stored is not None
    assert stored.created_at.tzinfo is not None


async def test_writers_queue_up_instead_of_failing(database: Database) -> None:
    async def read_then_write(n: int) -> None:
        async with database.session() as session:
            await session.scalar(select(func.count()).select_from(IdempotencyRecord))
            await asyncio.sleep(0.005)
            session.add(record(str(n)))

    await asyncio.gather(*(read_then_write(n) for n in range(20)))
    assert await count(database) == 20


@pytest.mark.parametrize(("column", "value"), [("key", "half \ud800"), ("status", 10**30)])
async def test_67_what_no_column_can_hold_is_the_callers_mistake(
    database: Database, column: str, value: Any
) -> None:
    row = {"tenant_id": "t", "path": "/", "key": "k", "request_digest": "", "status": 200}
    row |= {"body": "", "created_at": utcnow(), column: value}
    for statement in (
        insert(IdempotencyRecord).values(row),
        select(IdempotencyRecord).where(IdempotencyRecord.__table__.c[column] == value),
    ):
        with pytest.raises((AppError, UnicodeError, OverflowError)) as refused:
            async with database.session() as session:
                await session.execute(statement)
        assert isinstance(refused.value, AppError)
        assert refused.value.status == 422


@pytest.mark.schema
async def test_models_and_migrations_agree(database: Database) -> None:
    await migrate.check(database)
