"""What features share: built once per process, handed to each `setup(app, services)`."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from app.ai.build import build_gateway
from app.ai.gateway import Gateway
from app.core import slo
from app.core.db import Database
from app.core.flows import Flows
from app.core.metrics import Metrics
from app.settings import Settings

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
Probe = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True)
class Services:
    """Shared services. Features append to `lifespans` and `probes` while they are set up.

    A lifespan is entered when the process starts and left when it stops. A probe returns None when
    its feature can serve, else the reason it cannot; `/readyz` shows it.
    """

    settings: Settings
    database: Database
    metrics: Metrics
    flows: Flows
    gateway: Gateway
    lifespans: list[Lifespan] = field(default_factory=list)
    probes: dict[str, Probe] = field(default_factory=dict)


def build_services(settings: Settings) -> Services:
    """Create the services. Opens no connection and loads no model: both happen at first use."""
    database = Database(settings.database_url)
    metrics = Metrics()
    gateway = build_gateway(settings.models_file, settings.model_path, database, metrics)
    flows = Flows(metrics, slo.load(settings.slo_file))
    services = Services(settings, database, metrics, flows, gateway)
    services.lifespans.append(gateway.running)
    services.probes["models"] = gateway.ready
    return services
