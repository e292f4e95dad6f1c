"""What features share: built once per process, handed to each `setup(app, services)`."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.build import build_gateway
from app.ai.gateway import Gateway
from app.core import access, idempotency, limits, retention, slo
from app.core.access import Access
from app.core.background import in_background
from app.core.db import Database
from app.core.egress import Egress
from app.core.flows import Flows
from app.core.limits import Limits
from app.core.metrics import Metrics
from app.core.pages import Link
from app.core.principal import Authenticator
from app.core.problems import AppError
from app.core.retention import Outdated
from app.settings import Settings

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
Probe = Callable[[], Awaitable[str | None]]
PageAnswer = Callable[[Request, AppError], Response | None]
Names = Callable[[AsyncSession, Collection[str]], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True)
class Services:
    """Shared services. Features append to the lists and to `probes` while they are set up.

    A lifespan is entered when the process starts and left when it stops. A probe returns None when
    its feature can serve, else the reason it cannot; `/readyz` shows it. Authenticators are asked
    in turn who is there, the access token last. A page's refusal becomes the first answer that one
    of `page_answers` has for it (a way to sign in, for example), else a page that shows it. `links`
    are the pages that every page offers. Each of `names` says how those things are called that it
    knows, given as `person:ID`, `key:ID` and the like. What each of `outdated` finds is forgotten.
    """

    settings: Settings
    database: Database
    metrics: Metrics
    flows: Flows
    gateway: Gateway
    access: Access
    limits: Limits
    lifespans: list[Lifespan] = field(default_factory=list)
    probes: dict[str, Probe] = field(default_factory=dict)
    authenticators: list[Authenticator] = field(default_factory=list)
    page_answers: list[PageAnswer] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    names: list[Names] = field(default_factory=list)
    outdated: list[Outdated] = field(default_factory=list)

    @property
    def egress(self) -> Egress:
        """Which hosts may be called; whoever calls one over HTTP takes a client from it."""
        return self.gateway.egress

    async def names_of(self, session: AsyncSession, things: Collection[str]) -> dict[str, str]:
        """How these things are called; those that nobody knows are left out."""
        found: dict[str, str] = {}
        for names in self.names:
            found.update(await names(session, things))
        return found


def build_services(settings: Settings) -> Services:
    """Create the services. Opens no connection and loads no model: both happen at first use."""
    database = Database(settings.database_url)
    metrics = Metrics()
    gateway = build_gateway(settings.models_file, settings.model_path, database, metrics)
    services = Services(
        settings,
        database,
        metrics,
        Flows(metrics, slo.load(settings.slo_file)),
        gateway,
        access.load(settings.access_file),
        Limits(limits.load(settings.limits_file), settings.rate_limits_url, metrics),
    )
    services.outdated.append(idempotency.outdated)
    services.lifespans.append(gateway.running)
    services.lifespans.append(lambda: in_background(retention.watch(database, services.outdated)))
    services.probes["models"] = gateway.ready
    return services
