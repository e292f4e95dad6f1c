"""Fixtures every test may use: settings, a migrated database of its own, and a client."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr

from app.core import migrate
from app.core.db import Database, utcnow
from app.core.principal import Principal, by_access_token
from app.core.problems import AppError
from app.main import create_app
from app.settings import Settings
from tests.postgres import migrated_server

# What the tests' clients send: it is let in whatever else guards the application.
TOKEN = "t" * 32
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}

# The repository's tables: some tests go elsewhere.
TABLES = {
    "access_file": Path("access.yaml").resolve(),
    "limits_file": Path("limits.yaml").resolve(),
    "slo_file": Path("slo.yaml").resolve(),
}


async def tester(request: Request) -> Principal | None:
    """Let in who sends the access token, as one who has just given a second factor."""
    services = request.app.state.services
    given = request.headers.get("authorization")
    try:
        known = by_access_token(services.settings, services.access, given, is_only_guard=False)
    except AppError:
        return None
    return replace(known, acr=services.settings.mfa_acr, auth_time=utcnow())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; each test works on a copy."""
    path = tmp_path_factory.mktemp("database") / "empty.db"

    async def make() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await migrate.upgrade(database)
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    path = tmp_path / "app.db"
    shutil.copyfile(migrated, path)
    return Settings(
        _env_file=None,
        environment="test",
        database_url=f"sqlite+aiosqlite:///{path}",
        access_token=SecretStr(TOKEN),
        in_process_workers=False,
        log_level="ERROR",
        **TABLES,
    )


@pytest.fixture
def postgres_url(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a migrated PostgreSQL database; its modules are marked with `ON_POSTGRES`."""
    runtime = tmp_path_factory.mktemp("run")
    runtime.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with migrated_server() as url:
        yield url


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url)
    yield database
    await database.close()


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the running application: its lifespan is entered, and it may do everything."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://test", headers=SIGNED_IN
        ) as client,
    ):
        yield client
