"""Builds the application: services first, then every feature in turn."""

import importlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Security
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from app.core import (
    forwarded,
    health,
    limits,
    metrics,
    pages,
    principal,
    problems,
    telemetry,
)
from app.core.headers import HeadersMiddleware
from app.features import FEATURES, TITLE
from app.services import Services, build_services
from app.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application, its features set up and its background work not yet started.

    Background work starts and stops with the lifespan. The services are at `app.state.services`.
    """
    settings = settings or Settings()
    telemetry.configure(settings)
    services = build_services(settings)
    app = FastAPI(
        title=TITLE,
        lifespan=_lifespan,
        docs_url=None if settings.is_production else "/docs",
        openapi_url=None if settings.is_production else "/openapi.json",
        redoc_url=None,
        # It would be to the host that the request names, whoever made that up.
        redirect_slashes=False,
        # Requests become spans where something exports them; metrics and logs are our own.
        telemetry={"metrics": False, "logs": False, "exclude": _is_routine},
        dependencies=[Depends(limits.spend)],
    )
    app.state.services = services
    problems.setup(app)
    reader = Security(principal.principal_of, scopes=["metrics:read"])
    metrics.setup(app, services.metrics, reader, services.flows.answered)
    health.setup(app, services)
    pages.setup(app)
    for name in FEATURES:
        importlib.import_module(name).setup(app, services)
    principal.require_guard(settings, services.authenticators)
    services.limits.assign(app, services.access)
    app.add_middleware(HeadersMiddleware)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.body_limit_bytes)
    app.add_middleware(forwarded.ForwardedMiddleware, hops=settings.trusted_hops)
    # Added last, so that it is outermost: every log line of a request carries its correlation id.
    app.add_middleware(telemetry.RequestContextMiddleware, tenant=settings.default_tenant)
    return app


def _is_routine(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in {"/healthz", "/readyz", "/metrics"}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    async with AsyncExitStack() as stack:
        stack.push_async_callback(services.database.close)
        stack.push_async_callback(services.limits.close)
        for lifespan in services.lifespans:
            await stack.enter_async_context(lifespan())
        yield
