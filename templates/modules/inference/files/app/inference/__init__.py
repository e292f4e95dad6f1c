"""The small model in its own process: `app inference serve`, and asking it at INFERENCE_URL."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.inference.remote import RemoteModel
    from app.inference.settings import InferenceSettings

    settings = InferenceSettings()
    if settings.url is None:
        return
    gateway = services.gateway
    remote = RemoteModel(settings, lambda: gateway.classifier, services.metrics, services.egress)
    gateway.predict = remote.predict
    services.lifespans.append(remote.running)
