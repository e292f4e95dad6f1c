"""What only PostgreSQL refuses, and what only it lets happen at the same moment."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from app.core import retention
from app.core.db import Database, SessionDep, utcnow
from app.core.idempotency import KEPT, IdempotencyDep
from app.core.models import IdempotencyRecord
from app.core.problems import AppError
from app.main import create_app
from app.settings import Settings
from tests.core.test_requests import Note
from tests.postgres import ON_POSTGRES

pytestmark = [*ON_POSTGRES, pytest.mark.anyio]


@pytest.fixture
def settings(settings: Settings, postgres_url: str) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app(settings)

    @app.post("/notes", status_code=201)
    async def write(note: Note, idempotency: IdempotencyDep):
        async def create() -> Note:
            await asyncio.sleep(0.1)
            return note

        return await idempotency.once(201, create)

    @app.get("/broken")
    async def broken(session: SessionDep) -> None:
        await session.execute(insert(IdempotencyRecord).values(tenant_id="t", path="/", key="k"))

    return app


VALUES: list[dict[str, Any]] = [
    {"key": "a\0b"},
    {"key": "\ud800"},
    {"key": "k" * 129},
    {"status": 2**31},
]


@pytest.mark.parametrize("value", VALUES)
async def test_67_what_no_column_can_hold(database: Database, value: dict[str, Any]) -> None:
    row = {"tenant_id": "t", "path": "/", "key": "k", "request_digest": "", "status": 200}
    made = insert(IdempotencyRecord).values(row | {"body": "", "created_at": utcnow()} | value)
    with pytest.raises(AppError, match="Cannot be stored"):
        async with database.session() as session:
            await session.execute(made)
    if value == {"key": "a\0b"}:
        with pytest.raises(AppError, match="Cannot be stored"):
            async with database.reader() as session:
                await session.scalar(select(IdempotencyRecord).filter_by(**value))


async def test_71_a_write_that_is_sent_twice_at_once(client: httpx2.AsyncClient) -> None:
    async def send(_: int) -> int:
        sent = {"Idempotency-Key": "k"}
        return (await client.post("/notes", json={"text": "a"}, headers=sent)).status_code

    found = await asyncio.gather(*map(send, range(4)))
    assert sorted(found) == [201, 409, 409, 409]
    assert await send(0) == 201


async def test_71_another_broken_rule_is_our_mistake(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/broken")).status_code == 500


async def test_72_what_is_outdated_is_forgotten_behind_the_wall(
    app: FastAPI, database: Database
) -> None:
    row = {"tenant_id": "t", "path": "/", "key": "k", "request_digest": "", "status": 200}
    old = row | {"body": "", "created_at": utcnow() - KEPT - timedelta(minutes=1)}
    async with database.session() as session:
        await session.execute(insert(IdempotencyRecord).values(old))
    assert await retention.forget(database, app.state.services.outdated) == 1
