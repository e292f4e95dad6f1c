"""Webhooks after the Standard Webhooks specification.

A feature offers `HANDLERS: dict[str, EventHandler]` in its `events.py`; they are found at start-up.
"""

from fastapi import FastAPI

from app.features import FEATURES
from app.services import Services
from app.webhooks.handlers import EventHandler, collect
from app.webhooks.intake import Intake
from app.webhooks.routes import make_router
from app.webhooks.settings import WebhookSettings
from app.webhooks.signature import Signatures

__all__ = ["EventHandler", "setup"]


def setup(app: FastAPI, services: Services) -> None:
    settings = WebhookSettings()
    intake = Intake(services, settings, collect(FEATURES))
    app.state.webhooks = intake
    services.outdated.append(intake.outdated)
    app.include_router(make_router(Signatures(settings.secret), intake))
