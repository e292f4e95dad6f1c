"""Every route has a limit of limits.yaml, and the OpenAPI document names it."""

from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.core import limits
from app.core.problems import ConfigurationError
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.contract
TABLE = limits.load(Path("limits.yaml"))
# They belong to development and are gone in production.
DOCUMENTATION = ("/docs", "/openapi.json")


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings(_env_file=None, environment="test"))


def unlimited(app: FastAPI) -> list[str]:
    names = app.state.services.limits.operations
    wrong = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            calls = [inner.call for inner in _dependant(route).dependencies]
            if limits.spend not in calls or not names.keys() >= {
                f"{method} {route.path}" for method in route.methods or ()
            }:
                wrong.append(str(route.path))
        elif route.methods and not str(route.path).startswith(DOCUMENTATION):
            wrong.append(str(route.path))
    return wrong


def _dependant(route: object) -> Dependant:
    return getattr(route, "dependant")  # noqa: B009  of the context, not of the route alone


def test_every_route_has_a_limit(app: FastAPI) -> None:
    assert unlimited(app) == []
    assert set(app.state.services.limits.operations.values()) <= TABLE.names


def test_a_route_that_bypasses_it_is_found(app: FastAPI) -> None:
    async def plain(_request: Request) -> Response:
        return Response()

    app.router.add_route("/plain", plain)
    app.router.dependencies = []
    app.add_api_route("/bare", plain)
    assert unlimited(app) == ["/plain", "/bare"]


def test_the_api_says_which_limit_each_operation_has(app: FastAPI) -> None:
    found = {
        f"{method.upper()} {path}": operation["x-rate-limit"]
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert found.items() <= app.state.services.limits.operations.items()
    assert found["GET /healthz"] == "public"


@pytest.mark.parametrize("name", ["gone", "login"])
def test_a_limit_that_does_not_exist_or_fit_is_refused(app: FastAPI, name: str) -> None:
    app.add_api_route("/new", lambda: None, openapi_extra={"x-rate-limit": name})
    with pytest.raises(ConfigurationError, match="GET /new"):
        app.state.services.limits.assign(app, app.state.services.access)
