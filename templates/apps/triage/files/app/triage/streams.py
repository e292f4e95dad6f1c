"""What happens to a ticket, as a series of snapshots for those who watch it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from app.core.principal import Principal
from app.services import Services
from app.triage import repository
from app.triage.feed import Feed
from app.triage.models import Draft, Ticket

# A comment line this often keeps proxies from closing a quiet stream.
KEEP_ALIVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ticket and its draft at one moment, detached from the database."""

    ticket: Ticket
    draft: Draft | None

    @property
    def is_final(self) -> bool:
        """Nothing more happens without a person."""
        return self.ticket.status not in ("received", "working")


async def snapshot(services: Services, principal: Principal, ticket_id: str) -> Snapshot:
    """Read a ticket as it is now. Raises AppError 404."""
    async with services.database.reader() as session:
        return Snapshot(
            await repository.ticket(session, principal.tenant, ticket_id),
            await repository.draft(session, principal.tenant, ticket_id),
        )


async def watch(
    services: Services, feed: Feed, principal: Principal, ticket_id: str
) -> AsyncIterator[Snapshot | None]:
    """Yield the ticket now and at every change until it waits for a person; None while it is quiet.

    Raises AppError 404 before the first snapshot.
    """
    async with feed.subscribe(principal.tenant, ticket_id) as subscription:
        current = await snapshot(services, principal, ticket_id)
        yield current
        while not current.is_final and not feed.is_closed:
            if await subscription.changed(KEEP_ALIVE_S):
                current = await snapshot(services, principal, ticket_id)
                yield current
            else:
                yield None
