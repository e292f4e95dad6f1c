"""Triage with a classifier that knows a few words, and models that can be watched and slowed."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI

from app.ai.classifier import Prediction
from app.ai.local_writer import LocalWriter
from app.ai.model import Chunk, Model, ModelReply, ModelRequest
from app.core.principal import Principal
from app.core.resilience import Deadline
from app.main import create_app
from app.services import Services
from app.settings import Settings
from app.triage import pipeline, service
from app.triage.models import Ticket
from app.triage.schemas import NewTicket

AGENT = Principal("default", "robin")
STRANGER = Principal("elsewhere", "sam")


class FakeClassifier:
    """Sure of everything but a text with "unsure" in it."""

    sha256 = "0" * 64
    labels = ("age_limit", "card_arrival", "lost_or_stolen_card")

    def predict(self, text: str) -> Prediction:
        unsure = "unsure" in text
        label = "lost_or_stolen_card" if "stolen" in text else "card_arrival"
        return Prediction(label, 0.4 if unsure else 0.97, escalate=unsure)


class Writer:
    """The local writer, watched; `wait` is called before each piece of a stream."""

    name = "watched"

    def __init__(self, wait: Callable[[], Awaitable[None]] | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self._inner: Model = LocalWriter()
        self._wait = wait

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        self.requests.append(request)
        return await self._inner.complete(request, deadline)

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        async for chunk in self._inner.stream(request, deadline):
            if self._wait:
                await self._wait()
            yield chunk


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_ORGANISATION", "Example Bank")
    # Only the end of a draft is written, but where a test says otherwise.
    monkeypatch.setenv("TRIAGE_DRAFT_WRITE_INTERVAL_S", "60")
    monkeypatch.setenv("TRIAGE_FEED_POLL_S", "0.01")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    vars(app.state.services.gateway)["classifier"] = FakeClassifier()
    return app


@pytest.fixture
async def services(app: FastAPI) -> AsyncIterator[Services]:
    async with app.router.lifespan_context(app):
        yield app.state.services


def written_by(services: Services, writer: Writer) -> Services:
    """The same services, their drafts written by `writer`."""
    return dataclasses.replace(services, gateway=services.gateway.with_models(local=writer))


async def file(services: Services, text: str, tenant: str = "default") -> Ticket:
    """File a ticket and leave its triage in the queue."""
    async with services.database.session() as session:
        return await service.accept(session, tenant, NewTicket(text=text), source="api")


async def triaged(services: Services, text: str, tenant: str = "default") -> Ticket:
    """File a ticket and see it through to its draft."""
    ticket = await file(services, text, tenant)
    await pipeline.run(services, ticket.id)
    return await read(services, ticket.id)


async def read(services: Services, ticket_id: str) -> Ticket:
    async with services.database.reader() as session:
        return await session.get_one(Ticket, ticket_id)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  only the database can tell
            await asyncio.sleep(0.01)
