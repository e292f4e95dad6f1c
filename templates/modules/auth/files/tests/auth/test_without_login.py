"""AUTH_PROVIDER=none: the access token is the only door, in production too."""

import base64

import httpx2
import pytest
from pydantic import SecretStr

from app.core import access
from app.core.principal import by_access_token
from app.core.problems import AppError, ConfigurationError
from app.main import create_app
from app.settings import Settings
from tests.conftest import SIGNED_IN, TOKEN

pytestmark = pytest.mark.anyio


@pytest.fixture
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AUTH_PROVIDER", "none")
    return settings.model_copy(update={"environment": "production"})


async def answer(settings: Settings, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=create_app(settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/metrics", headers=headers)


async def test_the_access_token_is_the_door(production: Settings) -> None:
    assert (await answer(production, **SIGNED_IN)).status_code == 200
    password = base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    assert (await answer(production, Authorization=f"Basic {password}")).status_code == 200
    refused = await answer(production)
    assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")


async def test_production_does_not_stand_open_without_a_token(production: Settings) -> None:
    with pytest.raises(ConfigurationError, match="ACCESS_TOKEN"):
        create_app(production.model_copy(update={"access_token": SecretStr("short")}))
    table = access.load(production.access_file)
    with pytest.raises(AppError, match="Not signed in"):
        by_access_token(production.model_copy(update={"access_token": None}), table, None)
