"""Delivery: a change reaches people step by step, and goes back by itself when it is bad.

rollout.yaml says how, slo.yaml says what is good enough.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    # Imported here: a command that takes a release back should not load what serves.
    from app.core.background import in_background
    from app.delivery import tasks  # noqa: F401  workers find what is queued
    from app.delivery.gauges import Gauges
    from app.delivery.rollout import load
    from app.delivery.routes import router
    from app.delivery.settings import RolloutSettings
    from app.delivery.shadow import Copies
    from app.delivery.store import Rollouts
    from app.flags.settings import FlagsSettings

    settings = RolloutSettings()
    rollout = load(settings.file)
    app.state.rollouts = Rollouts(
        services.database,
        FlagsSettings().file,
        rollout,
        settings.region,
        services.settings.default_tenant,
    )
    app.include_router(router)
    gauges = Gauges(app.state.rollouts, services.metrics)
    services.lifespans.append(lambda: in_background(gauges.measure()))
    if settings.shadow:
        copies = Copies(services.database, settings.shadow, rollout.shadow)
        services.gateway.meter.listeners.append(copies.note)
        services.lifespans.append(copies.running)
