"""An application that handles one type of event, and a sender who knows its secret."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database, utcnow
from app.core.models import IdempotencyRecord
from app.main import create_app
from app.services import Services
from app.settings import Settings
from app.webhooks import EventHandler
from app.webhooks.signature import Signatures

SECRET = "whsec_" + "c2VjcmV0" * 5


class Note(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "an example", "count": 1}]}
    )

    text: str = Field(max_length=100)
    count: int = Field(ge=0)


class Notes:
    """The handler: one row an event, so that a rollback is seen. Fails while `error` is set."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: Exception | None = None

    async def handle(
        self, services: Services, session: AsyncSession, tenant: str, note: Note
    ) -> None:
        self.calls.append(note.text)
        session.add(
            IdempotencyRecord(
                tenant_id=tenant,
                path="/notes",
                key=f"{note.text} {len(self.calls)}",
                request_digest="",
                status=note.count,
                body="",
                created_at=utcnow(),
            )
        )
        if self.error:
            await session.flush()
            raise self.error


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def app(settings: Settings, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    handlers = {"test.note": EventHandler(Note, notes.handle)}
    monkeypatch.setattr("app.webhooks.collect", lambda _features: handlers)
    monkeypatch.setattr("app.webhooks.commands.collect", lambda _features: handlers)
    # Everything is logged, so that a test sees what a log would hold.
    return create_app(settings.model_copy(update={"log_level": "DEBUG"}))


@pytest.fixture
def send(client: httpx2.AsyncClient) -> Callable[..., Any]:
    """Returns a function that signs `body` and delivers it."""

    async def send(
        body: bytes,
        *,
        webhook_id: str = "msg_1",
        secret: str = SECRET,
        at: datetime | None = None,
        source: str = "desk",
        **headers: str,
    ) -> httpx2.Response:
        signed = Signatures([SecretStr(secret)]).sign(webhook_id, body, at or utcnow())
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post(f"/webhooks/{source}", content=body, headers=signed | changed)

    return send


async def rows(app: FastAPI, model: Any = IdempotencyRecord) -> int:
    database: Database = app.state.services.database
    async with database.reader() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0
