"""Which hosts this process calls over HTTP: any, until a feature says which."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Request


class HostRefused(Exception):  # noqa: N818  says what happened
    """The host is not one that this application may call."""


class Egress:
    """Whoever calls out takes a client from here, or puts `check` among its client's hooks."""

    def __init__(self) -> None:
        # A feature may put its own in place while it is set up.
        self.allows: Callable[[str], bool] = lambda _host: True

    async def check(self, request: "Request") -> None:
        """Raise HostRefused before a byte is sent; a redirect is asked about like any other."""
        if not self.allows(request.url.host):
            raise HostRefused(f"{request.url.host} is not on the list of hosts that may be called")

    def client(self, **options: Any) -> "AsyncClient":
        """Return an HTTP client that asks first."""
        from httpx2 import AsyncClient

        return AsyncClient(event_hooks={"request": [self.check]}, **options)
