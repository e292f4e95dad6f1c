"""Forgets what is of no use any more. Each feature says what that is; the audit is for ever.

services.outdated.append(lambda now: delete(Visit).where(Visit.at < now - KEPT))
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import Database, utcnow

log = structlog.get_logger(__name__)

# Not at once: whoever starts has enough to do, and what is stopped soon need not.
_AFTER_S, _EVERY_S = 60, 600

Outdated = Callable[[datetime], Delete | Update]
"""Makes the statement that removes, or empties, what is outdated at a moment."""


async def watch(database: Database, outdated: Sequence[Outdated]) -> None:
    """Forget every ten minutes, for ever. Any number of processes may do so."""
    await asyncio.sleep(_AFTER_S)
    while True:
        try:
            await forget(database, outdated)
        except SQLAlchemyError as error:
            log.warning("outdated_kept", error=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def forget(database: Database, outdated: Sequence[Outdated]) -> int:
    """Run each statement in a transaction of its own; return how many rows were outdated."""
    count = 0
    for statement in outdated:
        async with database.session() as session:
            result = await session.execute(
                statement(utcnow()), execution_options={"synchronize_session": False}
            )
            assert isinstance(result, CursorResult)  # noqa: S101  as Delete and Update make them
            count += result.rowcount
    log.info("outdated_forgotten", count=count)
    return count
