"""Attacks by what a value is made of: names of tenants, odd characters, what is kept too long."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.auth.accounts import account_of, known_account, membership_of
from app.auth.keys import FetchFailed
from app.auth.login import Auth, use_once
from app.auth.models import Account, AppSession, UsedToken
from app.auth.settings import AuthSettings
from app.core import retention
from app.core.db import utcnow
from app.settings import Settings
from tests.auth.conftest import ISSUER, SITE, Browser, Open, rows
from tests.auth.forge import claims, issuer_key, signed_text

pytestmark = pytest.mark.anyio

ESCAPE = "ada\x1b[2J\nroot\u202e"


async def test_row_66_a_name_that_steers_a_terminal(auth: Auth) -> None:
    said = {"iss": ISSUER, "sub": "eve", "name": ESCAPE, "email": ESCAPE}
    async with auth.services.database.session() as session:
        account = await account_of(session, said)
    assert account.name.isprintable()
    assert account.email.isprintable()


HALF = "\ud800"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"sub": HALF}, 422),
        ({"sub": f"eve{HALF}"}, 422),
        # No second factor, which /metrics asks for.
        *[({"acr": acr}, 401) for acr in ([], {}, [HALF], HALF, 7)],
    ],
)
async def test_row_67_a_token_that_says_odd_things(
    browser: Browser, auth: Auth, said: dict[str, Any], status: int
) -> None:
    """The database would not take it, nor would what compares and digests texts."""
    key = await issuer_key(auth)
    header = {"alg": "RS256", "kid": key.kid, "typ": "at+jwt"}
    token = signed_text(key, json.dumps(header), json.dumps(claims(**said)))
    answer = await browser.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status


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
        assert answer.headers.get("cache-control") == "no-store", path
        assert answer.headers.get("x-content-type-options") == "nosniff", path
    look = await browser.get("/static/core/look.css")
    assert "immutable" in look.headers["cache-control"]


async def test_row_71_a_first_login_twice_at_once(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked before one of them writes; tests/users has it as PostgreSQL lets it be."""
    said = {"iss": ISSUER, "sub": "new", "name": "Neo"}
    async with auth.services.database.session() as session:
        first = await account_of(session, said)
    looks: list[None] = [None]

    async def too_early(*asked: Any) -> Account | None:
        return looks.pop() if looks else await known_account(*asked)

    monkeypatch.setattr("app.auth.accounts.known_account", too_early)
    try:
        async with auth.services.database.session() as session:
            assert (await account_of(session, said)).id == first.id
    except IntegrityError:
        pytest.fail("the second login is refused")
    assert await rows(auth, Account) == 1


async def test_row_72_what_has_ended_is_forgotten(auth: Auth, open_browser: Open) -> None:
    vic, ann = open_browser(), open_browser()
    await vic.sign_in("vic")
    await ann.sign_in("ann")
    database = auth.services.database
    past = utcnow() - timedelta(seconds=1)
    async with database.session() as session:
        ended = update(AppSession).where(AppSession.account.has(Account.subject == "vic"))
        await session.execute(ended.values(expires_at=past))
        await use_once(session, "a token", time.time() - 400)
    assert await retention.forget(database, auth.services.outdated) == 2
    assert (await rows(auth, AppSession), await rows(auth, UsedToken)) == (1, 0)
    assert [(await who.get("/account")).status_code for who in (vic, ann)] == [303, 200]


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
