"""What every request gets: an id, a metric, a problem document, a cap on its body."""

import base64
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, SecretStr
from structlog.testing import capture_logs

from app.core.access import load
from app.core.db import SessionDep, utcnow
from app.core.idempotency import IdempotencyDep
from app.core.models import IdempotencyRecord
from app.core.pages import Pages
from app.core.principal import (
    Principal,
    PrincipalDep,
    by_access_token,
    require_guard,
    require_second_factor,
)
from app.core.problems import AppError, ConfigurationError
from app.main import create_app
from app.settings import Settings
from tests.conftest import TOKEN


class Note(BaseModel):
    text: str


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    app.state.written = 0

    @app.post("/notes", status_code=201)
    async def write(note: Note, idempotency: IdempotencyDep):
        async def create() -> Note:
            app.state.written += 1
            return Note(text=f"{note.text} {app.state.written}")

        return await idempotency.once(201, create)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("secret detail")

    @app.get("/me")
    async def me(principal: PrincipalDep) -> str:
        return principal.subject

    return app


async def test_what_a_page_refuses_is_undone(app: FastAPI, client: httpx2.AsyncClient) -> None:
    router = APIRouter(route_class=Pages(Path(__file__).parent).route)

    @router.post("/refused")
    async def refused(session: SessionDep) -> None:
        row = IdempotencyRecord(tenant_id="default", path="/", key="k", created_at=utcnow())
        row.request_digest, row.status, row.body = "", 200, ""
        session.add(row)
        await session.flush()
        raise AppError(409, "Nothing was changed", "It could not be.")

    app.include_router(router)
    page = await client.post("/refused")
    assert (page.status_code, "Nothing was changed" in page.text) == (409, True)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    async with app.state.services.database.reader() as session:
        assert await session.get(IdempotencyRecord, ("default", "/", "k")) is None


async def test_health_and_readiness(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    ready = await client.get("/readyz")
    assert ready.status_code in (200, 503)
    assert "database" not in ready.json()["reasons"]


@pytest.mark.parametrize(("path", "reason"), [("new.db", "app db upgrade"), ("", "not answer")])
async def test_a_database_that_cannot_be_used_is_not_ready(
    settings: Settings, tmp_path: Path, path: str, reason: str
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / path}"
    app = create_app(settings.model_copy(update={"database_url": url}))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/readyz")
    await app.state.services.database.close()
    assert response.status_code == 503
    assert reason in response.json()["reasons"]["database"]


async def test_correlation_id_is_taken_from_the_caller_or_made(client: httpx2.AsyncClient) -> None:
    given = await client.get("/healthz", headers={"X-Request-ID": "order-4711-abc"})
    assert given.headers["x-request-id"] == "order-4711-abc"
    made = await client.get("/healthz", headers={"X-Request-ID": "<script>"})
    assert len(made.headers["x-request-id"]) == 32
    traced = await client.get("/healthz", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert traced.headers["x-request-id"] == "a" * 32


async def test_the_access_line_carries_the_route_and_not_the_path(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"log_level": "INFO"}))
    transport = httpx2.ASGITransport(app=app)
    with capture_logs() as lines:
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.get("/nowhere/jane@example.com")
    await app.state.services.database.close()
    assert [line["route"] for line in lines if line["event"] == "request"] == ["unmatched"]
    assert "jane" not in str(lines)


async def test_unexpected_errors_tell_the_caller_nothing(client: httpx2.AsyncClient) -> None:
    with capture_logs():
        response = await client.get("/boom")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


async def test_metrics_count_by_route_template(client: httpx2.AsyncClient) -> None:
    await client.get("/healthz")
    await client.get("/nowhere/1")
    text = (await client.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert "/nowhere/1" not in text


async def test_a_large_body_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.post("/notes", content=b"x" * 5_000_000)
    assert response.status_code == 413


async def test_an_invalid_body_is_not_echoed(client: httpx2.AsyncClient) -> None:
    response = await client.post("/notes", json={"text": {"iban": "DE89370400440532013000"}})
    assert response.status_code == 422
    assert "DE89" not in response.text
    assert response.json()["errors"][0]["at"] == ["body", "text"]


async def test_the_same_key_writes_once(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await client.post("/notes", json={"text": "a"}, headers=headers)
    second = await client.post("/notes", json={"text": "a"}, headers=headers)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["idempotent-replayed"] == "true"
    other = await client.post("/notes", json={"text": "b"}, headers=headers)
    assert other.status_code == 422
    without = await client.post("/notes", json={"text": "a"})
    assert without.json() == {"text": "a 2"}


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_the_access_token_opens_api_and_pages(settings: Settings, scheme: str) -> None:
    access = load(settings.access_file)
    basic = base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    value = {"bearer": f"Bearer {TOKEN}", "basic": f"Basic {basic}"}[scheme]
    principal = by_access_token(settings, access, value)
    assert (principal.tenant, principal.scopes) == ("default", access.scopes.keys())
    for wrong in (None, "", "Bearer", "Bearer x", "Basic !!", "Basic eDp5", value + "x"):
        with pytest.raises(AppError) as refused:
            by_access_token(settings, access, wrong)
        assert refused.value.status == 401
        assert "WWW-Authenticate" in refused.value.headers


def test_without_a_token_only_an_unguarded_application_is_open(settings: Settings) -> None:
    access = load(settings.access_file)
    unset = settings.model_copy(update={"access_token": None})
    assert by_access_token(unset, access, None).subject == "local"
    with pytest.raises(AppError, match="Not signed in"):
        by_access_token(unset, access, None, is_only_guard=False)


async def test_who_lacks_the_scope_is_refused(app: FastAPI, client: httpx2.AsyncClient) -> None:
    async def nobody(_request: Request) -> Principal:
        return Principal("default", "nobody")

    assert (await client.get("/metrics")).status_code == 200
    app.state.services.authenticators.insert(0, nobody)
    refused = await client.get("/metrics")
    assert refused.status_code == 403
    assert 'scope="metrics:read"' in refused.headers["www-authenticate"]


def test_a_second_factor_is_asked_for_and_may_not_be_old() -> None:
    fresh = Principal("default", "ada", acr="mfa", auth_time=utcnow() - timedelta(seconds=50))
    require_second_factor(fresh, "mfa", 60)
    require_second_factor(fresh, "mfa", None)
    for principal, age in ((fresh, 40), (Principal("default", "ada", acr="pwd"), None)):
        with pytest.raises(AppError) as refused:
            require_second_factor(principal, "mfa", age)
        challenge = refused.value.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication", acr_values="mfa"' in challenge


def test_production_refuses_to_start_open(settings: Settings) -> None:
    async def guard(_request: Request) -> Principal | None:
        return None

    def production(token: str | None) -> Settings:
        secret = SecretStr(token) if token else None
        return settings.model_copy(update={"environment": "production", "access_token": secret})

    for token, guards in ((None, []), ("short", []), ("short", [guard])):
        with pytest.raises(ConfigurationError, match="ACCESS_TOKEN"):
            require_guard(production(token), guards)
    require_guard(production(TOKEN), [])
    require_guard(production(None), [guard])


def test_an_empty_token_is_none_and_not_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACCESS_TOKEN", "")
    assert Settings(_env_file=None, environment="test").access_token is None
