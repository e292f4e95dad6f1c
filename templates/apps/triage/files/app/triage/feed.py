"""Tells open pages what changed, whichever process changed it.

One loop per process looks at the tickets' change times while anybody listens; so a hundred open
inboxes cost one small query, and nothing but the database has to be shared.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import datetime, timedelta
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import Database, utcnow
from app.triage import repository

log = structlog.get_logger(__name__)

# A transaction can commit after a later one; looking back finds its rows all the same.
_LOOK_BACK = timedelta(seconds=3)
_LIMIT = 5_000


class Subscription:
    """Wakes its owner when something of interest changed. `ticket_id` None means any ticket."""

    def __init__(self, tenant: str, ticket_id: str | None) -> None:
        self.tenant = tenant
        self.ticket_id = ticket_id
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def changed(self, timeout_s: float) -> bool:
        """Wait for a change; False when there was none for `timeout_s`."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Feed:
    """The process's subscriptions and the loop that serves them."""

    def __init__(self, database: Database, poll_s: float) -> None:
        self._database = database
        self._poll_s = poll_s
        self._subscriptions: set[Subscription] = set()
        self._seen: dict[str, datetime] = {}
        self._loop: asyncio.Task[None] | None = None
        self.is_closed = False

    @asynccontextmanager
    async def subscribe(
        self, tenant: str, ticket_id: str | None = None
    ) -> AsyncIterator[Subscription]:
        subscription = Subscription(tenant, ticket_id)
        self._subscriptions.add(subscription)
        if self._loop is None or self._loop.done():
            self._seen = {}
            # Not in the context of who subscribed first: it looks for everybody.
            self._loop = asyncio.create_task(self._run(), context=Context())
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run until the process stops; open streams end at once instead of delaying the stop."""
        with _before_stop(self.close):
            yield
        self.close()
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop

    def close(self) -> None:
        self.is_closed = True
        for subscription in self._subscriptions:
            subscription.notify()

    async def _run(self) -> None:
        since = utcnow()
        while self._subscriptions:
            await asyncio.sleep(self._poll_s)
            try:
                since = await self._look(since)
            except SQLAlchemyError:
                log.warning("feed_failed", exc_info=True)
                await asyncio.sleep(1)

    async def _look(self, since: datetime) -> datetime:
        async with self._database.reader() as session:
            changes = await repository.changed_since(session, since - _LOOK_BACK, _LIMIT)
        fresh = [
            (tenant, ticket_id)
            for tenant, ticket_id, moment in changes
            if self._seen.get(ticket_id) != moment
        ]
        self._seen = {ticket_id: moment for _, ticket_id, moment in changes}
        tenants, tickets = {tenant for tenant, _ in fresh}, {ticket for _, ticket in fresh}
        for subscription in self._subscriptions:
            wanted = subscription.ticket_id
            if (wanted in tickets) if wanted else (subscription.tenant in tenants):
                subscription.notify()
        return max((moment for *_, moment in changes), default=since)


@contextlib.contextmanager
def _before_stop(close: Callable[[], None]) -> Iterator[None]:
    """Call `close` when the process is told to stop, before the server waits for open streams.

    The server's lifespan is left only after its connections have closed: too late for them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(close)
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    chained = [number for number, handler in previous.items() if callable(handler)]
    for number in chained:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in chained:
            signal.signal(number, previous[number])
