"""What becomes of a verified webhook: handled once, recognised as a duplicate, or put aside."""

from datetime import datetime, timedelta
from typing import Literal

import structlog
from pydantic import BaseModel
from sqlalchemy import Delete, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Base, utcnow
from app.services import Services
from app.webhooks.handlers import Handlers, Malformed, read
from app.webhooks.models import Delivery, Quarantined
from app.webhooks.settings import WebhookSettings

log = structlog.get_logger(__name__)

Replayed = Literal["handled", "handled already", "still malformed"]


class Outcome(BaseModel):
    """The answer to a sender. Either way the event is safe here, and need not be sent again."""

    status: Literal["accepted", "quarantined"]
    duplicate: bool = False


class Intake:
    """Takes events in. Everything of one event happens in one transaction."""

    def __init__(self, services: Services, settings: WebhookSettings, handlers: Handlers) -> None:
        self._services = services
        self._settings = settings
        self._handlers = handlers
        self._count = services.metrics.counter("webhooks_total", "Webhooks", ("outcome",))

    def outdated(self, now: datetime) -> Delete:
        """Deliveries that no sender repeats any more."""
        kept = timedelta(days=self._settings.keep_days)
        return delete(Delivery).where(Delivery.received_at < now - kept)

    def refused(self) -> None:
        """Note a request whose signature did not hold. Nothing else is kept of it."""
        self._count.labels("refused").inc()

    async def receive(self, source: str, webhook_id: str, body: bytes) -> Outcome:
        """Handle a verified webhook. Errors of the handler pass through: nothing is stored then."""
        tenant = self._services.settings.default_tenant
        try:
            outcome = await self._receive(tenant, source, webhook_id, body)
        except Exception:
            self._count.labels("failed").inc()
            raise
        self._count.labels("duplicate" if outcome.duplicate else outcome.status).inc()
        return outcome

    async def _receive(self, tenant: str, source: str, webhook_id: str, body: bytes) -> Outcome:
        try:
            kind, data = read(body, self._handlers)
        except Malformed as malformed:
            return await self._put_aside(tenant, source, webhook_id, body, malformed)
        async with self._services.database.session() as session:
            handled = await self._handle(session, tenant, source, webhook_id, kind, data)
        return Outcome(status="accepted", duplicate=not handled)

    async def replay(self, key: int) -> tuple[Replayed, str]:
        """Try a quarantined event again. Returns what happened, and the reason if still malformed.

        Raises LookupError when there is none with this id, and whatever its handler raises.
        """
        async with self._services.database.session() as session:
            row = await session.get(Quarantined, key)
            if row is None:
                raise LookupError(f"there is no event {key} in quarantine")
            if row.handled_at is not None:
                return "handled already", ""
            try:
                kind, data = read(row.body, self._handlers)
            except Malformed as malformed:
                row.kind, row.reason = malformed.kind, malformed.reason[:1000]
                return "still malformed", row.reason
            place = row.tenant_id, row.source, row.webhook_id
            handled = await self._handle(session, *place, kind, data)
        return ("handled" if handled else "handled already"), ""

    async def waiting(self) -> list[int]:
        """Return the ids of quarantined events that were not handled yet, oldest first."""
        query = select(Quarantined.id).where(Quarantined.handled_at.is_(None))
        async with self._services.database.reader() as session:
            return list(await session.scalars(query.order_by(Quarantined.id)))

    async def _handle(
        self,
        session: AsyncSession,
        tenant: str,
        source: str,
        webhook_id: str,
        kind: str,
        data: BaseModel,
    ) -> bool:
        """Run the handler unless this delivery was handled before; return whether it ran."""
        now = utcnow()
        delivery = Delivery(
            tenant_id=tenant, source=source, webhook_id=webhook_id, type=kind, received_at=now
        )
        is_new = await _insert(session, delivery)
        if is_new:
            await self._handlers[kind].handle(self._services, session, tenant, data)
        await session.execute(
            update(Quarantined)
            .where(
                Quarantined.tenant_id == tenant,
                Quarantined.source == source,
                Quarantined.webhook_id == webhook_id,
                Quarantined.handled_at.is_(None),
            )
            .values(handled_at=now, body=b"")
        )
        log.info("webhook", source=source, type=kind, duplicate=not is_new)
        return is_new

    async def _put_aside(
        self, tenant: str, source: str, webhook_id: str, body: bytes, malformed: Malformed
    ) -> Outcome:
        row = Quarantined(
            tenant_id=tenant,
            source=source,
            webhook_id=webhook_id,
            kind=malformed.kind,
            reason=malformed.reason[:1000],
            body=body,
            received_at=utcnow(),
        )
        async with self._services.database.session() as session:
            if await session.get(Delivery, (tenant, source, webhook_id)):
                return Outcome(status="accepted", duplicate=True)
            if not await _insert(session, row):
                return Outcome(status="quarantined", duplicate=True)
            await self._trim(session, tenant)
        log.warning("webhook_quarantined", source=source, kind=malformed.kind, id=row.id)
        return Outcome(status="quarantined")

    async def _trim(self, session: AsyncSession, tenant: str) -> None:
        newest = (
            select(Quarantined.id)
            .where(Quarantined.tenant_id == tenant)
            .order_by(Quarantined.id.desc())
        )
        first_too_many = await session.scalar(
            newest.offset(self._settings.quarantine_limit).limit(1)
        )
        if first_too_many is not None:
            await session.execute(
                delete(Quarantined).where(
                    Quarantined.tenant_id == tenant, Quarantined.id <= first_too_many
                )
            )
            log.warning("quarantine_full", limit=self._settings.quarantine_limit)


async def _insert(session: AsyncSession, row: Base) -> bool:
    """Insert `row`; False when its key is taken. Of two at once, one waits and then gets False."""
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True
