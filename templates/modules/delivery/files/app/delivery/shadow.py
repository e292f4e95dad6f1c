"""Shadow traffic: a candidate answers copies of requests, after the response and for nobody.

A copy goes through the queue. Its gateway has metrics, a cache and a budget of its own, and nothing
but the gateway is called: no ticket is written and no webhook sent.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.ai.budget import DailyBudget, Reservation
from app.ai.build import build_gateway
from app.ai.gateway import Gateway
from app.ai.meter import Generation
from app.ai.results import Classification, Completion
from app.ai.settings import AiSettings
from app.core.background import in_background
from app.core.db import Database, utcnow
from app.core.metrics import Metrics
from app.core.principal import Principal
from app.core.problems import AppError, ConfigurationError
from app.delivery.models import ShadowCopy
from app.delivery.rollout import Shadow
from app.flags import document
from app.flags.catalogue import RELEASE
from app.flags.releases import ReleaseTuple, parse
from app.flags.settings import FlagsSettings
from app.services import Services

log = structlog.get_logger("app.delivery")

_EVERY_S = 0.5
_MOST_WAITING = 200
_KEEP = timedelta(days=14)


class Copies:
    """Takes a share of what was answered, and writes it away twice a second."""

    def __init__(self, database: Database, candidate: str, shadow: Shadow) -> None:
        self._database = database
        self._candidate = candidate
        self._shadow = shadow
        self._waiting: list[ShadowCopy] = []
        self._random = random.Random()  # noqa: S311  which requests are copied is no secret

    def note(self, done: Generation) -> None:
        """Keep a request for a copy. Called in the request: it neither waits nor fails."""
        wanted = self._random.random() * 100 < self._shadow.percent
        if not wanted or done.result is None or len(self._waiting) >= _MOST_WAITING:
            return
        copy = ShadowCopy(
            id=uuid.uuid4().hex,
            tenant_id=done.tenant,
            created_at=utcnow(),
            request_class=done.request_class,
            candidate=self._candidate,
            asked={name: value for name, value in done.asked.items() if name != "passages"},
            real=outcome(done.result, done.latency_ms),
            shadow=None,
        )
        self._waiting.append(copy)

    async def flush(self) -> None:
        """Write and queue what was noted; what is beyond the day's number is dropped."""
        from app.delivery.tasks import answer_copy

        if not self._waiting:
            return
        taken, self._waiting = self._waiting, []
        midnight = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
        today = select(func.count()).where(ShadowCopy.created_at >= midnight)
        try:
            async with self._database.session() as session:
                left = self._shadow.daily_copies - (await session.scalar(today) or 0)
                for copy in taken[: max(0, left)]:
                    session.add(copy)
                    await session.flush()
                    # The job is the tenant's, too: nobody else's job may see the copy.
                    with structlog.contextvars.bound_contextvars(tenant=copy.tenant_id):
                        await answer_copy.enqueue(copy_id=copy.id)
        except (SQLAlchemyError, TimeoutError, AppError) as error:
            # A copy is worth nothing by itself; the queue is full of what is.
            log.warning("copies_dropped", error=type(error).__name__, count=len(taken))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with in_background(self._write()):
                yield
        finally:
            await self.flush()

    async def _write(self) -> None:
        async with self._database.session() as session:
            await session.execute(
                delete(ShadowCopy).where(ShadowCopy.created_at < utcnow() - _KEEP)
            )
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()


async def answer(services: Services, copy_id: str) -> None:
    """Let the candidate answer a copy, and note what it said. Raises nothing for its failures."""
    async with services.database.reader() as session:
        copy = await session.get(ShadowCopy, copy_id)
    if copy is None or copy.shadow is not None:
        return
    try:
        gateway = _gateway(services, copy.candidate)
        gateway.permit = services.gateway.permit
        said = await _ask(gateway, copy)
    except (AppError, ConfigurationError) as error:
        said = {"error": type(error).__name__}
    async with services.database.session() as session:
        row = await session.get_one(ShadowCopy, copy_id)
        row.shadow, row.asked = said, None


def outcome(result: object, latency_ms: float) -> dict[str, Any]:
    """What is compared: the label, or the articles that prose goes back to; and what it took."""
    if isinstance(result, Classification):
        said, confidence = result.label, result.confidence
    elif isinstance(result, Completion):
        said, confidence = ",".join(sorted({c.article_id for c in result.citations})), None
    else:
        raise TypeError(f"no answer of a gateway: {type(result).__name__}")
    return {
        "said": said,
        "confidence": confidence,
        "latency_ms": round(latency_ms, 1),
        "cost_usd": result.cost_usd,
        "cached": result.cached,
    }


async def _ask(gateway: Gateway, copy: ShadowCopy) -> dict[str, Any]:
    principal, asked = Principal(copy.tenant_id, f"shadow-{copy.id}"), copy.asked or {}
    if copy.real["confidence"] is not None:
        text = str(asked["text"])
        result = await gateway.classify(copy.request_class, text, principal=principal)
    else:
        result = await gateway.complete(copy.request_class, asked, principal=principal)
    return outcome(result, result.latency_ms)


class _Own(DailyBudget):
    """What shadows spend is counted apart, within the same limits."""

    async def reserve(self, tenant: str, tokens: int, cost_usd: float) -> Reservation:
        return await super().reserve(f"shadow:{tenant}"[:64], tokens, cost_usd)


def _gateway(services: Services, candidate: str) -> Gateway:
    variants = document.read(FlagsSettings().file)["flags"][RELEASE.name]["variants"]
    if candidate not in variants:
        raise ConfigurationError(f"no release {candidate!r}; there are: {', '.join(variants)}")
    return _built(services.database, services.settings.model_path, parse(variants[candidate]))


@cache
def _built(database: Database, model_path: Any, release: ReleaseTuple) -> Gateway:
    settings = AiSettings().model_copy(
        update={"prompts_dir": release.prompts, "response_cache_url": "mem://"}
    )
    gateway = build_gateway(release.models, model_path, database, Metrics(), settings, _Own)
    gateway.release = replace(gateway.release, threshold=release.threshold)
    return gateway
