"""Tells programs where they get a token for this application (RFC 9728)."""

from typing import Any

from fastapi import APIRouter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.dpop import ALGORITHMS
from app.auth.pages import AuthDep
from app.features import TITLE

PATH = "/.well-known/oauth-protected-resource"
router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def metadata(auth: AuthDep) -> dict[str, Any]:
    return {
        "resource": auth.settings.public_url,
        "resource_name": TITLE,
        "authorization_servers": [provider.issuer for provider in auth.providers.values()],
        "scopes_supported": sorted(auth.services.access.scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS.split(),
    }


class ChallengeMiddleware:
    """Says so to who comes without a token, or with one that is not valid."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self.app = app
        self.named = f'resource_metadata="{url}{PATH}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_place(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                headers = MutableHeaders(scope=message)
                challenge = headers.get("www-authenticate", "")
                if challenge.startswith(("Bearer", "DPoP")):
                    joint = ", " if "=" in challenge else " "
                    headers["WWW-Authenticate"] = f"{challenge}{joint}{self.named}"
            await send(message)

        await self.app(scope, receive, send_with_place)
