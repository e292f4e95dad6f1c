"""Attacks by what a request says twice, oddly, or at the same moment as another."""

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from app.auth.accounts import auth_time_of
from app.auth.login import Auth, use_once
from app.auth.models import AppSession, Flow
from app.auth.provider import TokenDenied, challenge
from app.auth.sealing import fingerprint
from app.auth.tokens import TokenRefused
from tests.auth.conftest import FROM_A_PAGE, ISSUER, SITE, Browser, Open, query_of, rows
from tests.auth.forge import MFA, claims, issuer_key, segment, signed

pytestmark = pytest.mark.anyio

NAME = "__Host-session"


async def test_row_57_cookies_that_a_neighbouring_host_has_set(
    browser: Browser, open_browser: Open
) -> None:
    await browser.sign_in("vic")
    own, other = browser.cookie(), open_browser()

    async def status(cookie: str) -> int:
        sent = [(b"cookie", cookie.encode("latin-1"))]
        return (await other.http.get("/account", headers=sent)).status_code

    assert await status(f"a=b; {NAME}={own}; c=d") == 200
    for cookies in (
        f"{NAME}={own}; {NAME}=evil",
        f"{NAME}=evil; {NAME}={own}",
        f"{NAME}={own}; \xa0{NAME}=evil",
        f"\xa0{NAME}={own}",
        f"\x85{NAME}={own}",
        f"={NAME}={own}",
    ):
        assert await status(cookies) == 303, cookies


@pytest.mark.parametrize("name", ["state", "code", "iss"])
async def test_row_58_an_answer_that_says_something_twice(
    browser: Browser, auth: Auth, name: str
) -> None:
    address = await browser.to_callback()
    answer = await browser.get(f"{address}&{name}={query_of(address)[name]}")
    assert (answer.status_code, await rows(auth, AppSession)) == (400, 0)


async def test_row_59_two_authorization_headers(browser: Browser, auth: Auth) -> None:
    good = f"Bearer {signed(await issuer_key(auth))}"
    for second in (good, "Bearer x.y.z", "Basic YTpi"):
        sent = [("Authorization", good), ("Authorization", second)]
        answer = await browser.http.get("/metrics", headers=sent)
        assert answer.status_code == 400
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_request"'
    assert (await browser.get("/metrics", headers={"Authorization": good})).status_code == 200


async def test_row_60_a_second_factor_that_will_be_given() -> None:
    now = time.time()
    assert auth_time_of({"auth_time": now + 20}, 30).timestamp() == pytest.approx(now + 20)
    for moment in (now + 60, now + 1e9, 1e300, float("inf"), -1, True, "now", None):
        assert auth_time_of({"auth_time": moment}, 30).timestamp() == 0


async def test_row_61_addresses_that_cannot_be_read(browser: Browser, auth: Auth) -> None:
    for referer in ("http://[", "//[", "https://x]/"):
        sent = {**FROM_A_PAGE, "Referer": referer}
        answer = await browser.post("/account/sessions/x/end", headers=sent)
        assert answer.status_code == 401, referer
    sent = {"Authorization": f"Bearer {signed(await issuer_key(auth))}"}
    for path in ("/login?max_age=", "/audit?before="):
        answer = await browser.get(f"{path}{10**30}", headers=sent)
        assert answer.status_code == 422, path


async def test_row_61_a_host_that_the_caller_made_up(browser: Browser) -> None:
    for host in ("evil.example", "app.example.evil.example", "a]b", "["):
        for path in ("/login", "/login/", "/account", "/account/", "/people/"):
            sent = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
            location = (await browser.get(path, headers=sent)).headers.get("location", "/")
            assert location.startswith(("/", "https://app.example/")), (host, path)
            assert "evil" not in location


async def test_row_62_what_counts_once_counts_once_at_the_same_moment(
    browser: Browser, auth: Auth
) -> None:
    address = await browser.to_callback()
    answers = await asyncio.gather(*(browser.get(address) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400, 400]
    assert (await rows(auth, AppSession), await rows(auth, Flow)) == (1, 0)

    verifier, provider = "v" * 64, auth.providers["development"]
    sent = query_of((await browser.get("/login")).headers["location"])
    asked = urlencode(sent | {"code_challenge": challenge(verifier)})
    answer = await browser.post(f"{ISSUER}/login", data={"asked": asked, "person": "vic"})
    code = query_of(answer.headers["location"])["code"]
    tokens = await provider.exchange(code, verifier)
    twice = [provider.refresh(tokens.refresh_token or "") for _ in range(2)]
    found = await asyncio.gather(*twice, return_exceptions=True)
    assert sum(isinstance(one, TokenDenied) for one in found) == 1


async def test_row_62_a_token_that_another_process_used_meanwhile(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with auth.services.database.session() as session:
        await use_once(session, "a token", time.time())

    async def nothing_yet(*_: object) -> None: ...

    with pytest.raises(Exception) as refusal:
        async with auth.services.database.session() as session:
            monkeypatch.setattr(session, "get", nothing_yet)
            await use_once(session, "a token", time.time())
    assert isinstance(refusal.value, TokenRefused)


CHALLENGES: dict[str, tuple[str, str]] = {
    "": ("/metrics", "Bearer"),
    "Bearer guess": ("/metrics", 'Bearer error="invalid_token"'),
    "Bearer a.b.c": ("/metrics", 'Bearer error="invalid_token"'),
    "DPoP a.b.c": ("/metrics", 'DPoP error="invalid_token", algs="'),
}


@pytest.mark.parametrize("given", CHALLENGES)
async def test_row_63_a_refusal_says_by_the_standard_why(browser: Browser, given: str) -> None:
    """RFC 6750, 3.1: no error for who has sent nothing; RFC 9449, 7.1: the scheme that was used."""
    path, expected = CHALLENGES[given]
    answer = await browser.get(path, headers={"Authorization": given} if given else {})
    assert answer.status_code == 401
    found, _, place = answer.headers["www-authenticate"].partition("resource_metadata=")
    assert place == f'"{SITE}/.well-known/oauth-protected-resource"'
    found = found.rstrip(", ")
    assert found == expected or (expected.endswith('"') and found.startswith(expected))


def _nested(token: str) -> str:
    return f"{segment({'alg': 'RS256', 'kid': 'k', 'typ': 'at+jwt', 'cty': 'JWT'})}.{token}.AA"


# What was tried and held from the beginning: how it comes, and the answer. None of it is let in.
HELD: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "a token in the address": ("GET", "/metrics?access_token={token}", {}, 401),
    "a nested token": ("GET", "/metrics", {"Authorization": "Bearer {nested}"}, 401),
    "headers of 60 kB": ("GET", "/metrics", {"Authorization": "Bearer " + "a" * 60_000}, 401),
    "the cookie's value as token": ("GET", "/metrics", {"Authorization": "Bearer {cookie}"}, 401),
    "another tenant by header": ("GET", "/people", {"X-Tenant": "other", "Cookie": "{both}"}, 403),
    "roles by header": ("GET", "/metrics", {"X-Roles": "admin", "Cookie": "{both}"}, 403),
    "a change by GET": ("GET", "/logout", {"Cookie": "{both}"}, 405),
    "a change by HEAD": ("HEAD", "/logout", {"Cookie": "{both}"}, 405),
    "another method by header": (
        *("GET", "/logout"),
        {"X-HTTP-Method-Override": "POST", "Cookie": "{both}"},
        405,
    ),
    "a form as plain text": (
        *("POST", "/logout"),
        {"Content-Type": "text/plain", "Origin": "null", "Cookie": "{both}"},
        403,
    ),
    "a wrong token beside the cookie": (
        *("GET", "/metrics"),
        {"Authorization": "Bearer x.y.z", "Cookie": "{both}"},
        401,
    ),
    "a name and password beside the cookie": (
        *("POST", "/logout"),
        {"Authorization": "Basic YTpi", "Cookie": "{both}"},
        401,
    ),
}


@pytest.mark.parametrize("attack", HELD)
async def test_what_was_tried_and_held(
    browser: Browser, open_browser: Open, auth: Auth, attack: str
) -> None:
    await browser.sign_in("vic")
    token = signed(await issuer_key(auth), claims(acr=MFA))
    method, path, headers, expected = HELD[attack]
    words = {"token": token, "nested": _nested(segment(token)), "cookie": browser.cookie()}
    words["both"] = f"{NAME}={browser.cookie()}"
    sent = {name: value.format(**words) for name, value in headers.items()}
    answer = await open_browser().http.request(method, path.format(**words), headers=sent)
    if path == "/people" and answer.status_code == 404:
        return  # without the module of people
    assert answer.status_code == expected
    assert await rows(auth, AppSession) == 1
    assert fingerprint(browser.cookie() or "") not in answer.text
