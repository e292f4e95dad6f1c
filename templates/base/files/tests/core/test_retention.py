"""What is of no use any more is forgotten, and nothing else."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.core import retention
from app.core.db import Base, Database, utcnow
from app.core.idempotency import KEPT
from app.core.models import IdempotencyRecord


async def add(database: Database, key: str, age: timedelta) -> None:
    row = IdempotencyRecord(tenant_id="t", path="/", key=key, created_at=utcnow() - age)
    row.request_digest, row.status, row.body = "", 200, ""
    async with database.session() as session:
        session.add(row)


async def kept(database: Database) -> list[str]:
    async with database.reader() as session:
        return list(await session.scalars(select(IdempotencyRecord.key)))


async def test_72_what_is_outdated_is_forgotten(app: FastAPI, database: Database) -> None:
    await add(database, "old", KEPT + timedelta(minutes=1))
    await add(database, "new", KEPT - timedelta(minutes=1))
    assert await retention.forget(database, app.state.services.outdated) == 1
    assert await kept(database) == ["new"]


def test_72_what_has_an_end_is_forgotten_and_the_audit_never(app: FastAPI) -> None:
    found = {statement(utcnow()).table.name for statement in app.state.services.outdated}
    ending = {table.name for table in Base.metadata.sorted_tables if "expires_at" in table.c}
    assert ending <= found
    assert {name for name in found if name.startswith("audit")} == set()


async def test_a_database_that_is_away_is_asked_again(
    app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AFTER_S", 0)
    monkeypatch.setattr(retention, "_EVERY_S", 0.01)
    asked: list[int] = []

    async def forget(*_: object) -> int:
        asked.append(1)
        if len(asked) == 1:
            raise SQLAlchemyError
        if len(asked) == 3:
            raise KeyError("the end")
        return 0

    monkeypatch.setattr(retention, "forget", forget)
    with pytest.raises(KeyError):
        await asyncio.wait_for(retention.watch(database, app.state.services.outdated), 5)
    assert len(asked) == 3
