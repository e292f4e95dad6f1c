"""Who asks when proxies stand in between: the address that the outermost one of ours has seen."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class ForwardedMiddleware:
    """Takes the caller's address from X-Forwarded-For, as far as proxies of ours have written it.

    Each proxy adds at the right the address that asked it, so that with `hops` of them the caller
    is that many from the right. What stands left of it, the caller may have made up.
    """

    def __init__(self, app: ASGIApp, hops: int) -> None:
        self.app = app
        self.hops = hops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.hops and scope["type"] in ("http", "websocket"):
            said = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
            address = said[-self.hops].strip() if len(said) >= self.hops else ""
            if _is_address(address):
                scope["client"] = (address, 0)
        await self.app(scope, receive, send)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
