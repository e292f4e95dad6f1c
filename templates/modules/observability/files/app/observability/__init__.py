"""Spans leave the process by OTLP, when OTEL_EXPORTER_OTLP_ENDPOINT says where to."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.observability.settings import OtelSettings

    settings = OtelSettings()
    if settings.exporter_otlp_endpoint is None:
        return
    # Imported here: half a second that only those who export should pay.
    from app.observability.tracing import exporting

    services.lifespans.append(lambda: exporting(settings))
