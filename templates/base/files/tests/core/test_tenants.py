"""Nobody sees or touches another tenant's rows: every route and every table is tried.

A new route or table is tried without being named here.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import select

from app.ai.cache import cache_key
from app.core.db import Database, ReaderDep, utcnow
from app.core.models import IdempotencyRecord
from app.core.principal import Principal
from app.main import create_app
from app.settings import Settings
from tests.core.rows import GLOBAL_TABLES, canary, fill, global_tables, tables

pytestmark = pytest.mark.anyio

# How long a stream is listened to.
_LISTENED_S = 0.1
# What ends the caller's own session ends no other.
NEVER_STOPS = re.compile(r"events$")


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Who asks is the tenant of the header X-Is, and may do everything there."""
    app = create_app(settings)
    services = app.state.services

    async def authenticator(request: Request) -> Principal | None:
        tenant = request.headers.get("x-is")
        if not tenant:
            return None
        every = frozenset(services.access.scopes)
        return Principal(tenant, "eve", scopes=every, acr=settings.mfa_acr, auth_time=utcnow())

    services.authenticators.insert(0, authenticator)
    async with services.database.session() as session:
        app.state.rows = await fill(session, "b")
    yield app
    await services.database.close()


@dataclass
class Answer:
    status: int
    body: str


async def ask(
    app: FastAPI, tenant: str, method: str, path: str, body: bytes, content_type: str
) -> Answer:
    """One request, as `tenant`, that says in every header that it is of b. A stream is cut off."""
    headers = {
        "host": "test",
        "x-is": tenant,
        "x-tenant": "b",
        "x-tenant-id": "b",
        "idempotency-key": "b-idempotency",
        "sec-fetch-site": "same-origin",
        "content-type": content_type,
        "cookie": "tenant=b",
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": b"tenant=b&tenant_id=b&limit=100&state=all",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    answer, is_sent = Answer(0, ""), False

    async def receive() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            await asyncio.sleep(60)
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
        answer.body += message.get("body", b"").decode(errors="replace")

    try:
        async with asyncio.timeout(_LISTENED_S if NEVER_STOPS.search(path) else 20):
            await app(scope, receive, send)
    except Exception as error:
        answer.status = 500
        if not isinstance(error, TimeoutError):
            return answer
        assert NEVER_STOPS.search(path), f"{method} {path} did not end"
    return answer


def operations(app: FastAPI) -> Iterable[tuple[str, str, APIRoute]]:
    public = app.state.services.access.public
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            for method in sorted(route.methods or ()):
                if f"{method} {route.path}" not in public:
                    yield method, str(route.path), route.original_route


def ids_of(rows: list[dict[str, Any]]) -> list[str]:
    """Everything in a tenant's rows that a path could name."""
    found = {value for row in rows for value in row.values() if isinstance(value, str)}
    return sorted(value for value in found if "canary" not in value and value != "a")


def bodies(route: APIRoute, value: str) -> list[tuple[bytes, str]]:
    """A form and a JSON document that name what is another's wherever a text goes."""
    if route.body_field is None:
        return [(b"", "text/plain")]
    names = {"tenant", "tenant_id"}
    schema = route.body_field.field_info.annotation
    names |= set(getattr(schema, "model_fields", {}))
    for field in route.dependant.body_params:
        names |= {field.alias, *getattr(field.field_info.annotation, "model_fields", {})}
    form = "&".join(f"{name}={quote(value)}" for name in sorted(names)).encode()
    return [
        (json.dumps(dict.fromkeys(sorted(names), value)).encode(), "application/json"),
        (form, "application/x-www-form-urlencoded"),
    ]


async def everything_of(database: Database, tenant: str) -> list[Any]:
    async with database.reader() as session:
        return [
            row
            for table in tables()
            for row in await session.execute(
                select(table).where(table.c.tenant_id == tenant).order_by(*table.primary_key)
            )
        ]


async def leaks(app: FastAPI) -> list[str]:
    """What tenant a could see or change of tenant b."""
    database, rows = app.state.services.database, app.state.rows["b"]
    before, found = await everything_of(database, "b"), []
    for method, path, route in operations(app):
        for value in ids_of(rows) if "{" in path else ["b"]:
            for body, content_type in bodies(route, value):
                asked = re.sub(r"\{[^}]+\}", value, path)
                answer = await ask(app, "a", method, asked, body, content_type)
                if canary("b") in answer.body:
                    found.append(f"{method} {path} shows it, asked for {value}")
                if answer.status == 500 and not NEVER_STOPS.search(path):
                    found.append(f"{method} {path} fails, asked for {value}")
        if await everything_of(database, "b") != before:
            found.append(f"{method} {path} changes it")
            before = await everything_of(database, "b")
    return found


async def test_48_no_route_shows_or_changes_what_is_another_tenants(app: FastAPI) -> None:
    assert await leaks(app) == []


async def test_48_the_owner_sees_it(app: FastAPI) -> None:
    """Otherwise the test above would prove nothing."""
    shown = set()
    for method, path, _ in operations(app):
        for value in ids_of(app.state.rows["b"]) if "{" in path and method == "GET" else []:
            asked = re.sub(r"\{[^}]+\}", value, path)
            if canary("b") in (await ask(app, "b", method, asked, b"", "text/plain")).body:
                shown.add(path)
    assert shown, "no path with an id shows its owner anything"


async def test_a_route_that_forgets_the_tenant_is_found(app: FastAPI) -> None:
    router = APIRouter()

    @router.get("/leak/{key}")
    async def leak(key: str, session: ReaderDep) -> list[str]:
        query = select(IdempotencyRecord.body).where(IdempotencyRecord.key == key)
        return list(await session.scalars(query))

    @router.post("/harm")
    async def harm(request: Request) -> None:
        async with request.app.state.services.database.session() as session:
            record = await session.get(IdempotencyRecord, ("b", "b-idempotency", "b-idempotency"))
            await session.delete(record)

    app.include_router(router, prefix="/new")
    found = await leaks(app)
    assert "GET /new/leak/{key} shows it, asked for b-idempotency" in found
    assert "POST /new/harm changes it" in found


async def test_48_every_table_says_whose_its_rows_are() -> None:
    assert global_tables() <= GLOBAL_TABLES.keys()


async def test_48_a_cached_answer_is_of_one_tenant() -> None:
    asked: dict[str, Any] = {"parameters": {}, "variables": {"text": "same"}}
    keys = {
        cache_key(tenant=tenant, request_class="c", models=("m",), prompt_sha256="0", **asked)
        for tenant in ("a", "b")
    }
    assert len(keys) == 2
