"""What every answer says of itself."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What is somebody's is kept by nobody else; what may be kept says so itself.
_UNLESS_SAID = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class HeadersMiddleware:
    """Says in each answer that no cache keeps it, and what is left of its limit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _UNLESS_SAID.items():
                    headers.setdefault(name, value)
                headers.update(scope.get("rate_limit_headers", {}))
            await send(message)

        await self.app(scope, receive, send_with_headers)
