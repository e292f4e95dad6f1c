"""People who sign in at the development issuer, and browsers for them."""

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase

from app.auth.issuer.people import people, totp
from app.auth.login import Auth
from app.main import create_app
from app.settings import Settings

SITE = "https://app.example"
ISSUER = f"{SITE}/development-issuer"
FROM_A_PAGE = {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    for name, value in {
        "AUTH_PROVIDER": "development",
        "AUTH_PUBLIC_URL": SITE,
        "AUTH_CLIENT_ID": "app",
        "AUTH_CLIENT_SECRET": "c" * 32,
        "AUTH_SECRET": "s" * 32,
        "AUTH_TENANT_CLAIM": "",
        "AUTH_TIMEOUT_S": "30",
    }.items():
        monkeypatch.setenv(name, value)
    # To draw a key takes longer than most tests.
    monkeypatch.setattr("app.auth.issuer.grants.draw_key", _same_key)
    # Attempts are limited by address, and all tests come from one.
    monkeypatch.setattr("app.core.limits.ProcessCounters.incr", _first)
    return create_app(settings.model_copy(update={"access_token": None}))


@cache
def _key() -> dict[str, Any]:
    return dict(RSAKey.generate_key(2048).as_dict(private=True))


def _same_key() -> RSAKey:
    parameters = {"kid": secrets.token_hex(8), "alg": "RS256", "use": "sig"}
    return RSAKey.import_key(_key() | parameters)


async def _first(_self: Any, _key: str, _expiry: int) -> int:
    return 1


@pytest.fixture
async def auth(app: FastAPI) -> AsyncIterator[Auth]:
    async with app.router.lifespan_context(app):
        yield app.state.auth


class Browser:
    """A browser: it keeps cookies, and follows where it is sent."""

    def __init__(self, app: FastAPI) -> None:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        self.app = app
        self.http = httpx2.AsyncClient(transport=transport, base_url=SITE)

    def cookie(self, name: str = "__Host-session") -> str | None:
        return self.http.cookies.get(name)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.http.get(path, **options)

    async def post(self, path: str, **options: Any) -> httpx2.Response:
        """Send a form of a page."""
        options.setdefault("headers", FROM_A_PAGE)
        return await self.http.post(path, **options)

    async def to_callback(
        self, person: str = "vic", *, start: str = "/login?next=/account", code: bool = False
    ) -> str:
        """Go to the provider, choose a person, and stop before the answer is taken."""
        answer = await self.get(start)
        address = answer.headers["location"]
        answer = await self.get(address)
        if answer.status_code == 200:
            asked = re.search(r'name="asked" value="([^"]+)"', answer.text)
            assert asked is not None
            form = {"asked": unescape(asked[1]), "person": person}
            if code:
                form["code"] = totp(people()[person].totp or "")
            answer = await self.post(f"{ISSUER}/login", data=form)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def sign_in(self, person: str = "vic", **options: Any) -> httpx2.Response:
        """Sign in, and return where that ends."""
        answer = await self.get(await self.to_callback(person, **options))
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"])


Open = Callable[[], Browser]


@pytest.fixture
async def open_browser(app: FastAPI, auth: Auth) -> AsyncIterator[Open]:
    opened: list[Browser] = []

    def open_one() -> Browser:
        opened.append(Browser(app))
        return opened[-1]

    yield open_one
    for browser in opened:
        await browser.http.aclose()


@pytest.fixture
def browser(open_browser: Open) -> Browser:
    return open_browser()


@pytest.fixture
def signed_in(browser: Browser) -> Callable[..., Awaitable[Browser]]:
    async def sign(person: str = "vic", **options: Any) -> Browser:
        page = await browser.sign_in(person, **options)
        assert page.status_code == 200, page.text
        return browser

    return sign


async def rows(auth: Auth, table: type[DeclarativeBase]) -> int:
    async with auth.services.database.reader() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


def query_of(address: str) -> dict[str, str]:
    return dict(httpx2.QueryParams(urlsplit(address).query))
