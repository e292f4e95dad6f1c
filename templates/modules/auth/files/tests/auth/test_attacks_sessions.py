"""Attacks on who is signed in. Each test is named after its row of the list."""

import json
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI, Security
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.auth.issuer import grants
from app.auth.keys import FetchFailed, KeyUnknown
from app.auth.login import LOGOUT_EVENT, Auth
from app.auth.models import AppSession, IssuerGrant, IssuerSession
from app.auth.provider import TokenDenied
from app.core.access import Scope
from app.core.db import utcnow
from app.core.principal import principal_of
from tests.auth.conftest import FROM_A_PAGE, ISSUER, SITE, Browser, Open, rows
from tests.auth.forge import MFA, claims, issuer_key, signed, signed_text

pytestmark = pytest.mark.anyio
CALLBACK = "/auth/backchannel-logout/development"


async def the_session(auth: Auth) -> AppSession:
    async with auth.services.database.reader() as session:
        return (await session.scalars(select(AppSession))).one()


async def with_cookie(browser: Browser, cookie: str | None) -> int:
    """How the account's page answers a bare cookie."""
    browser.http.cookies.clear()
    answer = await browser.get("/account", headers={"Cookie": f"__Host-session={cookie}"})
    return answer.status_code


async def test_row_38_the_session_changes_with_every_login(
    browser: Browser, open_browser: Open, auth: Auth
) -> None:
    thief = open_browser()
    fixed = "f" * 43
    browser.http.cookies.set("__Host-session", fixed, domain="app.example")
    await browser.sign_in("ada", code=True)
    first = (await the_session(auth)).hash
    cookie = browser.cookie()
    assert cookie not in (None, fixed)
    assert await rows(auth, AppSession) == 1
    assert await with_cookie(thief, fixed) == 303
    assert await with_cookie(thief, cookie) == 200
    await browser.sign_in("ada", start="/login?step_up=1&max_age=0&next=/account", code=True)
    assert await rows(auth, AppSession) == 1, "the one before is over"
    assert (await the_session(auth)).hash != first
    assert await with_cookie(thief, cookie) == 303
    assert await with_cookie(thief, browser.cookie()) == 200


async def test_row_38_a_session_is_not_in_the_database_as_it_is_in_the_browser(
    browser: Browser, auth: Auth
) -> None:
    await browser.sign_in("vic")
    row = await the_session(auth)
    cookie = browser.cookie() or ""
    assert cookie not in str(vars(row))
    refresh = auth.sealed.open(row.tokens)["refresh"]
    assert refresh.partition(".")[2] not in row.tokens


async def test_row_38_an_old_and_an_idle_session_are_over(browser: Browser, auth: Auth) -> None:
    for changes in (
        {"expires_at": utcnow()},
        {"seen_at": utcnow() - timedelta(seconds=auth.settings.session_idle_s + 1)},
    ):
        await browser.sign_in("vic")
        async with auth.services.database.session() as session:
            await session.execute(update(AppSession).values(**changes))
        assert (await browser.get("/account")).status_code == 303


async def test_row_39_cookies_and_logs(browser: Browser, auth: Auth) -> None:
    secrets: list[str] = []
    provider = auth.providers["development"]
    trade = provider._token

    async def noted(**form: str) -> Any:
        tokens = await trade(**form)
        secrets.extend(filter(None, [tokens.access_token, tokens.id_token, tokens.refresh_token]))
        return tokens

    provider._token = noted  # type: ignore[method-assign]
    with capture_logs() as lines:
        address = await browser.to_callback()
        answer = await browser.get(address)
        page = await browser.get(answer.headers["location"])
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert attributes >= {"secure", "httponly", "samesite=lax", "path=/"}
        assert not any(part.startswith("domain") for part in attributes)
    secrets += [browser.cookie() or "", httpx2.QueryParams(address.partition("?")[2])["code"]]
    assert len(secrets) == 5
    for secret in secrets:
        assert secret not in str(lines)
        assert secret not in page.text
        assert secret not in answer.headers["location"]
    assert "no-store" in page.headers["cache-control"]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "<script" not in page.text


CROSSING: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://app.example.evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": SITE, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://app.example", "Sec-Fetch-Site": "cross-site"},
]


async def test_row_40_a_form_of_another_site(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    row = await the_session(auth)
    for headers in CROSSING:
        for path in ("/logout", f"/account/sessions/{row.id}/end"):
            assert (await browser.post(path, headers=headers)).status_code == 403, headers
    assert await rows(auth, AppSession) == 1
    answer = await browser.post(f"/account/sessions/{row.id}/end", headers=FROM_A_PAGE)
    assert answer.status_code == 303


async def test_row_40_a_route_that_forgot_to_ask_is_guarded_too(
    app: FastAPI, browser: Browser
) -> None:
    guard = Security(principal_of, scopes=["account:self"])
    app.add_api_route("/forgetful", lambda: None, methods=["POST"], dependencies=[guard])
    await browser.sign_in("vic")
    assert (await browser.post("/forgetful", headers={})).status_code == 403
    assert (await browser.post("/forgetful")).status_code == 200


async def _make_stale(auth: Auth) -> None:
    async with auth.services.database.session() as session:
        long_ago = utcnow() - timedelta(seconds=1)
        await session.execute(update(AppSession).values(fresh_until=long_ago))


async def test_row_41_a_stolen_refresh_token(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    provider = auth.providers["development"]
    stolen = auth.sealed.open((await the_session(auth)).tokens)["refresh"]
    await _make_stale(auth)
    assert (await browser.get("/account")).status_code == 200, "renewed"
    assert auth.sealed.open((await the_session(auth)).tokens)["refresh"] != stolen
    with pytest.raises(TokenDenied):
        await provider.refresh(stolen)
    await _make_stale(auth)
    assert (await browser.get("/account")).status_code == 303, "the family is revoked"
    assert await rows(auth, AppSession) == 0


async def test_row_41_a_thief_who_is_first(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    provider = auth.providers["development"]
    stolen = auth.sealed.open((await the_session(auth)).tokens)["refresh"]
    thiefs = await provider.refresh(stolen)
    await _make_stale(auth)
    assert (await browser.get("/account")).status_code == 303
    assert await rows(auth, AppSession) == 0
    with pytest.raises(TokenDenied):
        await provider.refresh(thiefs.refresh_token or "")


@pytest.mark.parametrize("trouble", [KeyUnknown("new"), FetchFailed("down")])
async def test_a_renewal_that_cannot_be_checked_yet_loses_no_one(
    browser: Browser, auth: Auth, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """The provider has just changed its keys, or its userinfo is down: the new token is kept."""

    async def fail(*_: object) -> None:
        raise trouble

    await browser.sign_in("vic")
    with monkeypatch.context() as patched:
        patched.setattr(auth.providers["development"], "id_claims", fail)
        await _make_stale(auth)
        assert (await browser.get("/account")).status_code == 200
    await _make_stale(auth)
    assert (await browser.get("/account")).status_code == 200, "the old token is good no more"


async def test_row_43_a_family_of_refresh_tokens_grows_old(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    async with auth.services.database.session() as session:
        await session.execute(update(IssuerGrant).values(expires_at=utcnow()))
    await _make_stale(auth)
    assert (await browser.get("/account")).status_code == 303
    assert await rows(auth, AppSession) == 0


async def test_row_44_signing_out_needs_ones_own_click_and_token(
    browser: Browser, auth: Auth
) -> None:
    await browser.sign_in("vic")
    assert (await browser.get("/logout")).status_code == 405
    for hint in ("", "?id_token_hint=wrong", f"?id_token_hint={signed(await issuer_key(auth))}"):
        page = await browser.get(f"{ISSUER}/logout{hint}")
        assert "Sign out?" in page.text
    assert await rows(auth, IssuerSession) == 1
    assert await rows(auth, AppSession) == 1
    crossing = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await browser.post(f"{ISSUER}/logout", headers=crossing)).status_code == 403
    token = auth.sealed.open((await the_session(auth)).tokens)["id"]
    asked = {"id_token_hint": token, "post_logout_redirect_uri": "https://evil.example/"}
    answer = await browser.get(f"{ISSUER}/logout?{urlencode(asked)}")
    assert "location" not in answer.headers
    assert await rows(auth, IssuerSession) == 0
    assert await rows(auth, AppSession) == 0, "told by back-channel logout"


def logout_claims(sid: str | None, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": "app",
        "iat": now,
        "exp": now + 120,
        "jti": str(time.perf_counter_ns()),
        "events": {LOGOUT_EVENT: {}},
        "sid": sid,
    } | changes
    return {name: value for name, value in said.items() if value is not None}


async def test_row_45_logout_tokens(browser: Browser, open_browser: Open, auth: Auth) -> None:
    await browser.sign_in("vic")
    sid = (await the_session(auth)).provider_session
    other = open_browser()
    await other.sign_in("ann")
    key, now = await issuer_key(auth), int(time.time())

    async def send(said: dict[str, Any], typ: str = "logout+jwt") -> int:
        form = {"logout_token": signed(key, said, typ=typ)}
        return (await open_browser().post(CALLBACK, data=form, headers={})).status_code

    for said in (
        logout_claims(sid, nonce="n"),
        logout_claims(sid, events=None),
        logout_claims(sid, events={"other": {}}),
        logout_claims(sid, events=[LOGOUT_EVENT]),
        logout_claims(sid, aud="other"),
        logout_claims(sid, iss="https://evil.example"),
        logout_claims(sid, exp=now + 600),
        logout_claims(sid, exp=now - 60),
        logout_claims(sid, exp=None),
        logout_claims(sid, jti=None),
        logout_claims(None),
    ):
        assert await send(said) == 400, said
    for typ in ("JWT", "at+jwt"):
        assert await send(logout_claims(sid), typ) == 400
    assert await rows(auth, AppSession) == 2
    good = logout_claims(sid)
    assert await send(good) == 200
    assert (await browser.get("/account")).status_code == 303
    assert (await other.get("/account")).status_code == 200
    assert await send(good) == 400, "replayed"
    assert await send(logout_claims(None, sub="ann")) == 200
    assert (await other.get("/account")).status_code == 303


async def test_row_67_a_logout_token_with_half_a_character(browser: Browser, auth: Auth) -> None:
    key, said = await issuer_key(auth), logout_claims(None, sub="vic", jti="\ud800")
    header = {"alg": "RS256", "kid": key.kid, "typ": "logout+jwt"}
    token = signed_text(key, json.dumps(header), json.dumps(said))
    answer = await browser.post(CALLBACK, data={"logout_token": token}, headers={})
    assert answer.status_code == 200


@pytest.fixture
def risky(app: FastAPI, auth: Auth) -> str:
    """A page that needs a second factor, not older than five minutes."""
    access = auth.services.access
    scopes = {**access.scopes, "account:risk": Scope(roles=frozenset(access.roles), step_up_s=300)}
    object.__setattr__(auth.services, "access", access.model_copy(update={"scopes": scopes}))
    guard = Security(principal_of, scopes=["account:risk"])
    app.add_api_route("/risky", lambda: "done", methods=["GET", "POST"], dependencies=[guard])
    return "/risky"


async def test_row_46_high_risk_asks_for_a_fresh_second_factor(
    browser: Browser, auth: Auth, risky: str
) -> None:
    await browser.sign_in("ann")
    for address in (risky, f"{risky}?acr={MFA}"):
        answer = await browser.get(address, headers={"X-Acr": MFA, "Cookie2": f"acr={MFA}"})
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge
        assert f'acr_values="{MFA}"' in challenge
        assert "max_age=300" in challenge
    await browser.sign_in("ann", start="/login?step_up=1&max_age=300&next=/account", code=True)
    assert (await browser.get(risky)).status_code == 200
    old = utcnow() - timedelta(seconds=301)
    async with auth.services.database.session() as session:
        await session.execute(update(AppSession).values(auth_time=old))
    assert (await browser.get(risky)).status_code == 401
    assert (await browser.get("/account")).status_code == 200


async def test_row_46_tokens_and_high_risk(browser: Browser, auth: Auth, risky: str) -> None:
    key, now = await issuer_key(auth), int(time.time())

    async def status(**changes: Any) -> int:
        said = claims(scope="account:risk", roles=["agent"], **changes)
        headers = {"Authorization": f"Bearer {signed(key, said)}"}
        return (await browser.get(risky, headers=headers)).status_code

    assert await status() == 200
    assert await status(acr="urn:app:pwd") == 401
    assert await status(acr=None) == 401
    assert await status(auth_time=now - 301) == 401
    assert await status(auth_time=None) == 401
    assert await status(auth_time="now") == 401
    assert await status(sub="app") == 401, "a program has no second factor"


async def test_a_role_that_needs_a_second_factor_has_nothing_without(
    browser: Browser, auth: Auth
) -> None:
    await browser.get(await browser.to_callback("ada"))
    answer = await browser.get("/account")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2Faccount&step_up=1")
    page = await browser.sign_in("ada", start=answer.headers["location"], code=True)
    assert (page.status_code, "Ada Admin" in page.text) == (200, True)
    key = await issuer_key(auth)
    for acr, status in ((MFA, 200), ("urn:app:pwd", 401)):
        headers = {"Authorization": f"Bearer {signed(key, claims(acr=acr))}"}
        assert (await Browser(browser.app).get("/metrics", headers=headers)).status_code == status


async def test_a_token_never_allows_more_than_its_person_may(browser: Browser, auth: Auth) -> None:
    key = await issuer_key(auth)
    said = claims(sub="vic", roles=["viewer"], scope="metrics:read account:self")
    headers = {"Authorization": f"Bearer {signed(key, said)}"}
    assert (await browser.get("/metrics", headers=headers)).status_code == 403


async def test_the_development_issuers_codes_are_good_for_a_minute(
    browser: Browser, auth: Auth
) -> None:
    address = await browser.to_callback()
    async with auth.services.database.session() as session:
        await session.execute(update(IssuerGrant).values(secret_until=utcnow()))
    assert (await browser.get(address)).status_code == 400
    assert timedelta(seconds=60) >= grants._CODE
