"""limits.yaml: how many requests a tenant's contract allows; what is beyond gets 429.

Each route has a limit without naming one. Another one: `openapi_extra={"x-rate-limit": "login"}`.
"""

import math
import time
from collections.abc import Awaitable
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Protocol, Self

import structlog
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from limits import RateLimitItem, parse
from limits.errors import StorageError
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from app.core import yaml
from app.core.access import Access
from app.core.metrics import Metrics
from app.core.principal import DEFAULT_TIER, caller_of
from app.core.problems import AppError, ConfigurationError

log = structlog.get_logger(__name__)

EXTENSION = "x-rate-limit"
_SWEEP_AT = 10_000
_PATIENCE_S, _PAUSE_S = 0.5, 5.0
Limit = Annotated[RateLimitItem, BeforeValidator(lambda text: parse(str(text)))]


class Table(BaseModel):
    """The whole of limits.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    tiers: dict[str, dict[str, Limit]]
    addresses: dict[str, Limit]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if DEFAULT_TIER not in self.tiers:
            raise ValueError(f"tiers: {DEFAULT_TIER} is missing")
        kinds = {frozenset(limits) for limits in self.tiers.values()}
        if len(kinds) > 1 or not kinds.pop() >= {"read", "write"}:
            raise ValueError("tiers: all need the same kinds, read and write among them")
        if not self.addresses.keys() >= {"public", "refused"}:
            raise ValueError("addresses: public and refused are needed")
        return self

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.tiers[DEFAULT_TIER]) | self.addresses.keys()


def load(path: Path) -> Table:
    """Read limits.yaml. Raises ConfigurationError, which names what is wrong."""
    try:
        return Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


class Counters(Protocol):
    """How often something happened in its present window; as in the library `limits`."""

    def incr(self, key: str, expiry: int) -> Awaitable[int]: ...

    def get_expiry(self, key: str) -> Awaitable[float]: ...

    def close(self) -> Awaitable[None]: ...


class SharedCounters:
    """Counters of all processes, in Redis."""

    def __init__(self, url: str) -> None:
        from limits.aio.storage import RedisStorage

        # A server that is there and says nothing must not hold up every request.
        patience: Any = {"socket_connect_timeout": _PATIENCE_S, "socket_timeout": _PATIENCE_S}
        self._storage: Any = RedisStorage(
            f"async+{url}", implementation="redispy", wrap_exceptions=True, **patience
        )
        self.incr, self.get_expiry = self._storage.incr, self._storage.get_expiry

    async def close(self) -> None:
        await self._storage.bridge.storage.aclose()


class ProcessCounters:
    """Counters of this process. Those of `limits` start a task at every request."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}
        self._kept = 0

    async def incr(self, key: str, expiry: int) -> int:
        now = time.time()
        until, count = self._windows.get(key, (0.0, 0))
        if until <= now:
            # Where all of them are recent, the next one must not look at all of them again.
            if len(self._windows) >= max(_SWEEP_AT, 2 * self._kept):
                self._windows = {k: v for k, v in self._windows.items() if v[0] > now}
                self._kept = len(self._windows)
            until, count = now + expiry, 0
        self._windows[key] = (until, count + 1)
        return count + 1

    async def get_expiry(self, key: str) -> float:
        return self._windows[key][0] if key in self._windows else time.time()

    async def close(self) -> None: ...


def _counters(url: str) -> Counters:
    if url.startswith("mem:"):
        return ProcessCounters()
    return SharedCounters(url)


class Limits:
    """Counts requests. Each limit is a number for a window that begins with its first request."""

    def __init__(self, table: Table, url: str, metrics: Metrics) -> None:
        self.table = table
        self.operations: dict[str, str] = {}
        self._of_route: dict[int, str] = {}
        self._counters = _counters(url)
        self._own = ProcessCounters()
        self._paused_until = 0.0
        self._refused = metrics.counter(
            "rate_limited_requests_total", "Requests answered with 429", ("limit",)
        )

    def assign(self, app: FastAPI, access: Access) -> None:
        """Give each route its limit, and show it in the OpenAPI document.

        Raises ConfigurationError for a limit that limits.yaml does not have.
        """
        for route in iter_route_contexts(app.routes):
            if not isinstance(route.original_route, APIRoute):
                continue
            for method in route.methods or ():
                operation = f"{method} {route.path}"
                name = (route.openapi_extra or {}).get(
                    EXTENSION, "public" if operation in access.public else _usual(method)
                )
                if name not in self.table.names:
                    raise ConfigurationError(f"{operation}: limits.yaml has no limit {name!r}")
                if (operation in access.public) != (name in self.table.addresses):
                    raise ConfigurationError(
                        f"{operation}: the limit {name!r} does not fit; what is public is limited "
                        "by address, the rest by tenant"
                    )
                self.operations[operation] = name
                self._of_route[id(route.original_route)] = name
        document = app.openapi

        def openapi() -> dict[str, Any]:
            made = document()
            for path, methods in made["paths"].items():
                for method, operation in methods.items():
                    name = self.operations.get(f"{method.upper()} {path}")
                    operation[EXTENSION] = name or _usual(method.upper())
            return made

        app.openapi = openapi

    async def count(self, request: Request, name: str, limit: RateLimitItem, who: str) -> None:
        """Raise 429 when `who` has used up the limit. The answer's headers say what is left."""
        key = limit.key_for(name, who)
        used, until = await self._counted(key, limit.get_expiry())
        wait = max(1, math.ceil(until - time.time()))
        headers = {
            "RateLimit-Policy": f'"{name}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(max(0, limit.amount - used)),
            "RateLimit-Reset": str(wait),
        }
        request.scope["rate_limit_headers"] = headers
        if used > limit.amount:
            self._refused.labels(name).inc()
            raise AppError(
                429,
                "Too many requests",
                f"{limit.amount} of the kind {name!r} are answered in {limit.get_expiry()} s. "
                f"Try again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )

    async def close(self) -> None:
        await self._counters.close()

    async def _counted(self, key: str, expiry: int) -> tuple[int, float]:
        """Count once more: how often it was in this window, and until when that lasts."""
        if time.monotonic() >= self._paused_until:
            try:
                used = await self._counters.incr(key, expiry)
                return used, await self._counters.get_expiry(key)
            except StorageError as error:
                # Better to count for this process alone than to serve nobody, or to let everybody
                # wait for a server that is gone.
                log.warning("rate_limits_not_shared", error=str(error))
                self._paused_until = time.monotonic() + _PAUSE_S
        return await self._own.incr(key, expiry), await self._own.get_expiry(key)

    async def spend(self, request: Request) -> None:
        """Count a request against its route's limit: by address where it is public, else by tenant.

        Attempts to get in that fail are counted too. Raises 401, and 429.
        """
        name = self._of_route.get(id(request.scope["route"])) or _usual(request.method)
        address = neighbourhood(request.client.host) if request.client else ""
        addresses = self.table.addresses
        if name in addresses:
            await self.count(request, name, addresses[name], address)
            return
        try:
            principal = await caller_of(request)
        except AppError as error:
            if error.status == 401:
                await self.count(request, "refused", addresses["refused"], address)
            raise
        limits = self.table.tiers.get(principal.tier) or self.table.tiers[DEFAULT_TIER]
        await self.count(request, name, limits[name], principal.tenant)


def neighbourhood(address: str) -> str:
    """Who is counted as one: an address, and of IPv6 the network that one customer is given."""
    try:
        found = ip_address(address)
    except ValueError:
        return address  # a socket of this machine, or a proxy's name for what it hides
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((found.packed, 64), strict=False))


def _usual(method: str) -> str:
    return "read" if method in ("GET", "HEAD") else "write"


async def spend(request: Request) -> None:
    """The dependency of every route."""
    await request.app.state.services.limits.spend(request)
