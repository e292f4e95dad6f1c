"""The small model as an application of its own: plain HTTP, and OpenAI's API beside it."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import anyio
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from app.ai.classifier import Classifier, ModelFileError
from app.core import metrics, problems, telemetry
from app.core.metrics import Metrics
from app.core.problems import AppError
from app.inference import openai_api
from app.inference.schemas import Answer, Answers, Many, One, Predicted
from app.inference.served import ModelDep, Served
from app.inference.settings import ServerSettings

log = structlog.get_logger("app.inference")
plain = APIRouter()


def create_server(
    settings: ServerSettings | None = None, load: Callable[[Path], Classifier] = Classifier.load
) -> FastAPI:
    """Return the server. `load` is called in the background once it has started."""
    settings = settings or ServerSettings()
    telemetry.configure(settings)
    counted = Metrics()
    served = Served(counted)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as background:
            background.start_soon(_warm, served, load, settings.model_path)
            yield
            background.cancel_scope.cancel()

    app = FastAPI(title="Small model", lifespan=lifespan, openapi_url=None)
    app.state.served = served
    problems.setup(app)
    closed = Depends(_key_asked(settings))
    metrics.setup(app, counted, closed)
    _health(app, served)
    app.include_router(plain, dependencies=[closed])
    app.include_router(openai_api.router, dependencies=[closed])
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.body_limit_bytes)
    app.add_middleware(telemetry.RequestContextMiddleware, tenant=settings.default_tenant)
    return app


@plain.post("/classify")
async def classify(body: One | Many, model: ModelDep, request: Request) -> Answer | Answers:
    """One text, or several: each gets the answer that it would get alone."""
    served: Served = request.app.state.served
    if isinstance(body, One):
        return Answer(**asdict(served.predict(model, body.text)), model=model.sha256)
    # Tens of milliseconds: others are answered meanwhile.
    found = await anyio.to_thread.run_sync(
        lambda: [served.predict(model, text) for text in body.texts]
    )
    return Answers(model=model.sha256, predictions=[Predicted(**asdict(one)) for one in found])


async def _warm(served: Served, load: Callable[[Path], Classifier], path: Path) -> None:
    try:
        await anyio.to_thread.run_sync(served.warm, lambda: load(path))
    except ModelFileError as error:
        served.reason = f"{error}. Train it: app model train"
        log.error("model_unusable", reason=str(error))


def _health(app: FastAPI, served: Served) -> None:
    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def ready() -> JSONResponse:
        if served.model is None:
            reasons = {"model": served.reason}
            return JSONResponse({"status": "waiting", "reasons": reasons}, status_code=503)
        return JSONResponse({"status": "ready", "reasons": {}})


def _key_asked(settings: ServerSettings) -> Callable[[Request], None]:
    key = settings.inference_key

    def check(request: Request) -> None:
        if key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = secrets.compare_digest(given.strip().encode(), key.get_secret_value().encode())
        if scheme.lower() != "bearer" or not right:
            raise AppError(
                401,
                "Not signed in",
                "Send the INFERENCE_KEY as a bearer token.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return check
