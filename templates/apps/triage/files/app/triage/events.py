"""Events of others that triage acts on, by webhook."""

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.services import Services
from app.triage import service
from app.triage.schemas import NewTicket, Reference, TicketText
from app.webhooks.handlers import EventHandler

SOURCE = "webhook"


class TicketCreated(BaseModel):
    """A customer wrote to the help desk. Fields that are not known here are left aside."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "text": "Hello, I think my card was stolen on the train this morning. "
                    "Please block it! You can reach me on +44 7700 900123.\n\n"
                    "Thank you,\nAda Example",
                    "customer_id": "customer-4711",
                }
            ]
        }
    )

    text: TicketText = Field(description="What the customer wrote")
    id: Reference | None = Field(
        default=None, description="The sender's number of the ticket; it is filed once per number"
    )
    customer_id: Reference | None = Field(
        default=None, description="The sender's number of the customer; no name, no address"
    )


async def _file(
    _services: Services, session: AsyncSession, tenant: str, event: TicketCreated
) -> None:
    new = NewTicket(text=event.text, customer_id=event.customer_id)
    await service.accept(session, tenant, new, source=SOURCE, external_id=event.id)


HANDLERS = {"ticket.created": EventHandler(TicketCreated, _file)}
