"""Whether the process lives, and whether it can serve."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from app.core import migrate, release
from app.features import NAME
from app.services import Services


def setup(app: FastAPI, services: Services) -> None:
    async def database() -> str | None:
        try:
            return await migrate.pending(services.database)
        except SQLAlchemyError as error:
            return f"it does not answer ({type(error).__name__})"

    services.probes["database"] = database

    @app.get("/healthz", tags=["health"])
    async def alive() -> dict[str, str]:
        """The process answers. Says nothing about what it depends on."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"])
    async def ready() -> JSONResponse:
        """200 when every feature can serve, else 503 with the reasons."""
        reasons: dict[str, Any] = {}
        for name, probe in services.probes.items():
            if reason := await probe():
                reasons[name] = reason
        return JSONResponse(
            {"status": "waiting" if reasons else "ready", "reasons": reasons},
            status_code=503 if reasons else 200,
        )

    @app.get("/version", tags=["health"])
    async def show_version() -> dict[str, Any]:
        """What runs here; `release` is release.json, or null where nothing was released."""
        return {"name": NAME, "version": version(NAME), "release": release.current()}
