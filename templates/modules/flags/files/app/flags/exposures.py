"""Who saw which variant of an experiment, once each: gathered here, written twice a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from app.core.background import in_background
from app.core.db import Database, UtcDateTime, utcnow
from app.core.principal import Principal

log = structlog.get_logger("app.flags")

_EVERY_S = 0.5
# While the database is away, this many wait; the newest are dropped, and counted by nobody.
_MOST = 20_000
_INSERT = text(
    """
    insert into flag_exposures (tenant_id, experiment, subject, variant, flag, first_at)
    values (:tenant_id, :experiment, :subject, :variant, :flag, :first_at)
    on conflict do nothing
    """
).bindparams(bindparam("first_at", type_=UtcDateTime()))


class Exposures:
    """Asked from anywhere in a request, even inside its transaction; so it writes by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[tuple[str, str, str, str], tuple[str, datetime]] = {}

    def note(self, experiment: str, flag: str, variant: str, principal: Principal) -> None:
        key = (principal.tenant, experiment[:64], principal.subject[:128], variant)
        if len(self._waiting) < _MOST:
            self._waiting.setdefault(key, (flag, utcnow()))

    async def flush(self) -> None:
        """Write what was noted; what cannot be written waits for the next time."""
        if not self._waiting:
            return
        taken, self._waiting = self._waiting, {}
        rows = [
            {
                "tenant_id": tenant,
                "experiment": experiment,
                "subject": subject,
                "variant": variant,
                "flag": flag,
                "first_at": first_at,
            }
            for (tenant, experiment, subject, variant), (flag, first_at) in taken.items()
        ]
        try:
            async with self._database.session() as session:
                await session.execute(_INSERT, rows)
        except (SQLAlchemyError, TimeoutError) as error:
            log.error("exposures_not_written", error=type(error).__name__, waiting=len(rows))
            self._waiting = taken | self._waiting
        except asyncio.CancelledError:
            self._waiting = taken | self._waiting
            raise

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with in_background(self._write()):
                yield
        finally:
            await self.flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()
