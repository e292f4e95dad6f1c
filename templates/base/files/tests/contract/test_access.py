"""Every route asks for a scope of access.yaml, or is named there as public."""

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Security

from app.core import access
from app.core.principal import principal_of
from app.core.problems import ConfigurationError
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.contract
TABLE = access.load(Path("access.yaml"))
# Files of the application itself: scripts, styles, icons.
FILES = "/static/"


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings(_env_file=None, environment="test"))


def undeclared(app: FastAPI) -> list[str]:
    wrong = []
    for operation, scopes in access.declared(app.routes, principal_of):
        is_open = operation in TABLE.public or operation.startswith(FILES)
        if is_open == bool(scopes) or not scopes <= TABLE.scopes.keys():
            wrong.append(operation)
    return wrong


def test_53_every_route_declares_who_may(app: FastAPI) -> None:
    assert undeclared(app) == []


def test_53_a_route_without_a_scope_of_the_table_is_found(app: FastAPI) -> None:
    router = APIRouter()
    for path, scopes in {
        "/open": [],
        "/unknown": ["nothing:read"],
        "/right": ["metrics:read"],
    }.items():
        router.add_api_route(
            path, lambda: None, dependencies=[Security(principal_of, scopes=scopes)]
        )
    router.add_api_route("/bare", lambda: None)
    app.include_router(router, prefix="/new")
    assert undeclared(app) == ["GET /new/open", "GET /new/unknown", "GET /new/bare"]


def test_the_api_says_which_scope_each_operation_needs(app: FastAPI) -> None:
    scopes = dict(access.declared(app.routes, principal_of))
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            shown = {name for item in operation.get("security", []) for name in item["bearer"]}
            assert shown == scopes[f"{method.upper()} {path}"], f"{method} {path}"


def test_every_public_route_exists(app: FastAPI) -> None:
    found = dict(access.declared(app.routes, principal_of))
    assert TABLE.public.keys() - found.keys() == set()


def test_a_scope_of_an_unknown_role_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    text = "roles: {}\nscopes: {'a:read': {roles: [ghost]}}\npublic: {}\n"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="ghost"):
        access.load(path)
