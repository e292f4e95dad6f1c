"""Attacks by what a value is made of: names of tenants, odd characters, what is kept too long."""

import time
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.auth.accounts import account_of, acr_of, known_account, membership_of
from app.auth.keys import FetchFailed
from app.auth.login import Auth, use_once
from app.auth.models import Account, AppSession, UsedToken
from app.auth.settings import AuthSettings
from app.core import retention
from app.core.db import utcnow
from app.core.problems import AppError
from app.settings import Settings
from tests.auth.conftest import ISSUER, SITE, Browser, Open, rows

pytestmark = pytest.mark.anyio

ESCAPE = "ada\x1b[2J\nroot\u202e"


async def test_row_66_a_name_that_steers_a_terminal(auth: Auth) -> None:
    claims = {"iss": ISSUER, "sub": "eve", "name": ESCAPE, "email": ESCAPE}
    async with auth.services.database.session() as session:
        account = await account_of(session, claims)
    assert account.name.isprintable()
    assert account.email.isprintable()


HALF = "\ud800"


async def test_row_67_half_a_character(auth: Auth) -> None:
    """The database would not take it, nor would what compares and digests texts."""
    database = auth.services.database
    for subject in (HALF, f"eve{HALF}"):
        with pytest.raises(AppError, match="Cannot be stored"):
            async with database.session() as session:
                await account_of(session, {"iss": ISSUER, "sub": subject})
    async with database.session() as session:
        await use_once(session, f"dpop {HALF}", time.time())
    assert await rows(auth, UsedToken) == 1
    for acr in ([], {}, [HALF], 7):
        assert acr_of({"acr": acr}, auth.services.settings, auth.settings) == "urn:app:pwd"


ODD_NAMES = ["", "*", ".", "..", "-a", "a*", "a%", "a b", "a/b", "a\n", "\uff41", "\u0430"]
NO_TENANTS: list[Any] = [*ODD_NAMES, "a" * 65, 7, None]


def test_row_68_a_tenant_by_an_odd_name(settings: Settings) -> None:
    auth = AuthSettings(_env_file=None, tenant_claim="org")
    for name in NO_TENANTS:
        assert membership_of({"org": name}, settings, auth) is None, name
        with pytest.raises(ValidationError):
            Settings(_env_file=None, default_tenant=name)
    for good in ("acme", "org_AbC123", "a.b-c_d", "7" * 64):
        assert membership_of({"org": good}, settings, auth) is not None


async def test_row_70_what_is_somebodys_is_kept_by_nobody(browser: Browser) -> None:
    await browser.sign_in("vic")
    for path in ("/account", "/tickets", "/metrics", "/jobs/none", "/nowhere", "/login"):
        answer = await browser.get(path)
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
    look = await browser.get("/static/core/look.css")
    assert "immutable" in look.headers["cache-control"]


async def test_row_71_a_first_login_twice_at_once(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked before one of them writes; tests/users has it as PostgreSQL lets it be."""
    claims = {"iss": ISSUER, "sub": "new", "name": "Neo"}
    async with auth.services.database.session() as session:
        first = await account_of(session, claims)
    looks: list[None] = [None]

    async def too_early(*asked: Any) -> Account | None:
        return looks.pop() if looks else await known_account(*asked)

    monkeypatch.setattr("app.auth.accounts.known_account", too_early)
    try:
        async with auth.services.database.session() as session:
            assert (await account_of(session, claims)).id == first.id
    except IntegrityError:
        pytest.fail("the second login is refused")
    assert await rows(auth, Account) == 1


async def test_row_72_what_has_ended_is_forgotten(auth: Auth, open_browser: Open) -> None:
    for person in ("vic", "ada"):
        await open_browser().sign_in(person)
    database = auth.services.database
    past = utcnow() - timedelta(seconds=1)
    async with database.session() as session:
        ended = update(AppSession).where(AppSession.account.has(Account.subject == "vic"))
        await session.execute(ended.values(expires_at=past))
        await use_once(session, "a token", time.time() - 400)
    assert await retention.forget(database, auth.services.outdated) == 2
    assert (await rows(auth, AppSession), await rows(auth, UsedToken)) == (1, 0)


async def test_row_74_a_provider_that_is_away_makes_nobody_write(
    browser: Browser, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is signed in would wait for the turn of all writers, at each request."""
    await browser.sign_in("vic")
    database = auth.services.database
    async with database.session() as session:
        await session.execute(update(AppSession).values(fresh_until=utcnow() - timedelta(hours=1)))

    async def away(*_: Any, **__: Any) -> Any:
        raise FetchFailed("away")

    monkeypatch.setattr(auth.providers["development"], "refresh", away)
    assert (await browser.get("/account")).status_code == 200
    writing, turns = database.session, []
    monkeypatch.setattr(database, "session", lambda: turns.append(1) or writing())
    for _ in range(3):
        assert (await browser.get("/account")).status_code == 200
    assert turns == []


async def test_where_a_program_gets_its_token(browser: Browser, auth: Auth) -> None:
    refused = await browser.get("/metrics")
    place = f"{SITE}/.well-known/oauth-protected-resource"
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{place}"'
    told = (await browser.get(place)).json()
    assert told["resource"] == SITE
    assert told["authorization_servers"] == [ISSUER]
    assert set(told["scopes_supported"]) == auth.services.access.scopes.keys()
