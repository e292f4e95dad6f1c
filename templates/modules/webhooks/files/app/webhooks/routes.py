"""Where senders deliver."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from app.core.problems import AppError
from app.webhooks.handlers import Envelope
from app.webhooks.intake import Intake, Outcome
from app.webhooks.signature import HEADERS, SignatureRefused, Signatures

Source = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Who sends: a name you choose")
]


def make_router(signatures: Signatures, intake: Intake) -> APIRouter:
    router = APIRouter(prefix="/webhooks", tags=["webhooks"])
    # The body is read raw, for the signature; so its shape and the headers are declared by hand.
    declared = {
        "parameters": [
            {"in": "header", "name": name, "required": True, "schema": {"type": "string"}}
            for name in HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": Envelope.model_json_schema()}},
        },
    }

    @router.post("/{source}", status_code=202, openapi_extra=declared)
    async def receive(source: Source, request: Request) -> Outcome:
        """Deliver one event, signed after Standard Webhooks.

        202 means that it is safe here: accepted, or put aside because it is malformed.
        """
        if not signatures:
            raise AppError(503, "Webhooks are not set up", "WEBHOOK_SECRET is not set.")
        body = await request.body()
        try:
            webhook_id = signatures.verify(request.headers, body)
        except SignatureRefused as refusal:
            intake.refused()
            raise AppError(
                401,
                "Signature refused",
                f"{refusal}. Sign the raw body as standardwebhooks.com says, within 5 minutes.",
            ) from None
        return await intake.receive(source, webhook_id, body)

    return router
