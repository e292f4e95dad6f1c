"""Who may not is refused: every route is asked with nothing, with every other scope, with its own.

A new route is tried without being named here. The service alone is asked, without any gateway.
"""

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request, Security

from app.core import access
from app.core.db import utcnow
from app.core.principal import Principal, principal_of
from app.main import create_app
from app.settings import Settings
from tests.core.test_tenants import NEVER_STOPS, ask, operations

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Who asks has the scopes that the header X-Is names."""
    app = create_app(settings)
    services = app.state.services

    async def authenticator(request: Request) -> Principal | None:
        scopes = frozenset(request.headers["x-is"].split())
        if not scopes:
            return None
        return Principal("a", "eve", scopes=scopes, acr=settings.mfa_acr, auth_time=utcnow())

    services.authenticators.insert(0, authenticator)
    yield app
    await services.database.close()


async def wrongly_answered(app: FastAPI) -> list[str]:
    """The routes that let in who may not, or keep out who may."""
    wrong, every = [], frozenset(app.state.services.access.scopes)
    scopes = dict(access.declared(app.routes, principal_of))
    for method, path, _ in operations(app):
        own = scopes[f"{method} {path}"]
        asked = re.sub(r"\{[^}]+\}", "1", path)
        # A page sends to where one signs in.
        for sent, is_right in (
            ((), {401, 303}.__contains__),
            (every - own, {403}.__contains__),
            (own, lambda status: status not in (401, 403)),
        ):
            answer = await ask(app, " ".join(sent), method, asked, b"", "text/plain")
            if not is_right(answer.status) and not NEVER_STOPS.search(path):
                wrong.append(f"{method} {path}: {answer.status} with {' '.join(sent) or 'nothing'}")
    return wrong


async def test_47_every_route_asks_for_its_scope_and_for_no_other(app: FastAPI) -> None:
    assert await wrongly_answered(app) == []


async def test_47_a_route_that_asks_for_too_little_or_too_much_is_found(app: FastAPI) -> None:
    app.add_api_route("/open", lambda: "everything")
    guard = Security(principal_of, scopes=["metrics:read"])
    app.add_api_route("/right", lambda: "a little", dependencies=[guard])
    found = [line.partition(":")[0] for line in await wrongly_answered(app)]
    assert found == ["GET /open", "GET /open"]
