"""Keeps a model out of a request when its provider may not see that tenant's data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import date

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.ai.release import Release
from app.ai.router import OpenAISpec
from app.audit.log import record
from app.core.background import in_background
from app.core.db import Database, utcnow
from app.core.metrics import Metrics
from app.core.principal import Principal
from app.policy.residency import Residency

log = structlog.get_logger("app.policy")

Refusal = tuple[Principal, str, str, str]


class Guard:
    """Asked for each request to the gateway. What it refuses is counted and logged each time, and
    goes into the audit once a day for each tenant, class of request and model.
    """

    def __init__(self, residency: Residency, database: Database, metrics: Metrics) -> None:
        self._residency = residency
        self._database = database
        self._refusals = metrics.counter(
            "policy_refusals_total", "Models kept out of a request", ("request_class", "model")
        )
        self._waiting: asyncio.Queue[Refusal] = asyncio.Queue(maxsize=1_000)
        self._noted: set[tuple[date, str, str, str]] = set()

    def permit(self, release: Release, principal: Principal, request_class: str) -> Release:
        """Return the release without the models that may not see this caller's data."""
        refused = set()
        for name, url in _remote(release, request_class):
            if reason := self._residency.refusal(principal.tenant, request_class, url):
                refused.add(name)
                self._note(principal, request_class, name, reason)
        return replace(release, refused=frozenset(refused)) if refused else release

    def _note(self, principal: Principal, request_class: str, model: str, reason: str) -> None:
        self._refusals.labels(request_class, model).inc()
        log.warning("model_refused", request_class=request_class, model=model, reason=reason)
        key = (utcnow().date(), principal.tenant, request_class, model)
        if key in self._noted or self._waiting.full():
            return
        self._noted = {it for it in self._noted if it[0] == key[0]} | {key}
        self._waiting.put_nowait((principal, request_class, model, reason))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write the audit meanwhile: who is refused may be inside a transaction of their own."""
        async with in_background(self._write()):
            try:
                yield
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await self._waiting.join()

    async def _write(self) -> None:
        while True:
            principal, request_class, model, reason = await self._waiting.get()
            try:
                async with self._database.session() as session:
                    await record(
                        session,
                        principal,
                        "model.refuse",
                        f"model:{model}",
                        after={"request_class": request_class},
                        reason=reason,
                    )
            except (SQLAlchemyError, TimeoutError) as error:
                log.error("refusal_not_in_audit", model=model, error=type(error).__name__)
            finally:
                self._waiting.task_done()


def _remote(release: Release, request_class: str) -> list[tuple[str, str]]:
    """The models of the route that are called over a network, with their addresses."""
    spec = release.config.request_classes.get(request_class)
    models = {name: release.config.models[name] for name in spec.route} if spec else {}
    return [
        (name, model.url)
        for name, model in models.items()
        if isinstance(model, OpenAISpec) and model.configured
    ]
