"""Attacks on the login by OpenID Connect. Each test is named after its row of the list."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from sqlalchemy import update

from app.auth import flow
from app.auth.flow import local_target
from app.auth.keys import FetchFailed
from app.auth.login import Auth
from app.auth.models import AppSession, Flow, IssuerGrant
from app.auth.provider import TokenDenied, Tokens, challenge
from app.auth.tokens import TokenRefused
from app.core.db import utcnow
from tests.auth.conftest import ISSUER, SITE, Browser, Open, query_of, rows
from tests.auth.forge import MFA, Lying, signed

pytestmark = pytest.mark.anyio


@pytest.fixture
def asked(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address to which the application sends something, in order."""
    found: list[str] = []
    provider = auth.providers["development"]
    fetch = provider._fetch

    async def noted(method: str, url: str, **options: Any) -> Any:
        found.append(f"{method} {url}")
        return await fetch(method, url, **options)

    monkeypatch.setattr(provider, "_fetch", noted)
    return found


async def refused(browser: Browser, address: str, auth: Auth) -> None:
    answer = await browser.get(address)
    assert answer.status_code == 400, answer.text
    assert browser.cookie() is None
    assert await rows(auth, AppSession) == 0


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "application/at+jwt", "dpop+jwt"])
async def test_row_09_another_token_is_no_id_token(typ: str) -> None:
    lying = Lying()
    said = {"iss": lying.issuer, "aud": "app", "sub": "m", "exp": time.time() + 60}
    said |= {"iat": time.time(), "nonce": "n"}
    assert await lying.provider.id_claims(signed(lying.key, said, typ="JWT"), "n")
    with pytest.raises(TokenRefused):
        await lying.provider.id_claims(signed(lying.key, said, typ=typ), "n")


async def test_row_17_an_id_token_for_several() -> None:
    lying = Lying()
    both = ["app", "other"]
    assert await lying.provider.id_claims(lying.id_token(aud=both, azp="app"), "n")
    wrong: list[dict[str, Any]] = [
        {"aud": both},
        {"aud": both, "azp": "other"},
        {"azp": "other"},
        {"aud": "x"},
    ]
    for changes in wrong:
        with pytest.raises(TokenRefused):
            await lying.provider.id_claims(lying.id_token(**changes), "n")


async def test_row_18_the_nonce_of_another_login() -> None:
    lying = Lying()
    for nonce in (None, "other", "", ["n"]):
        with pytest.raises(TokenRefused):
            await lying.provider.id_claims(lying.id_token(nonce=nonce), "n")


async def test_row_18_every_login_has_a_nonce_of_its_own(browser: Browser) -> None:
    sent = [query_of((await browser.get("/login")).headers["location"]) for _ in range(2)]
    assert len({one["nonce"] for one in sent}) == 2
    assert len({one["state"] for one in sent}) == 2
    assert min(len(one["nonce"]) for one in sent) > 40


async def test_row_19_userinfo_of_somebody_else() -> None:
    lying = Lying()
    tokens = Tokens("a", lying.id_token(), None, 60)
    lying.answers["/userinfo"] = {"sub": "mallory", "name": "M"}
    assert (await lying.provider.identity(tokens, "n"))["name"] == "M"
    for told in ({"sub": "ada"}, {}, {"sub": ["mallory"]}):
        lying.answers["/userinfo"] = told
        with pytest.raises(TokenRefused):
            await lying.provider.identity(tokens, "n")


async def test_row_27_pkce_is_always_sent_by_s256(browser: Browser) -> None:
    sent = query_of((await browser.get("/login")).headers["location"])
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43
    lying = Lying()
    lying.metadata["code_challenge_methods_supported"] = ["plain"]
    with pytest.raises(FetchFailed, match="S256"):
        await lying.provider.metadata()


@pytest.mark.parametrize(
    "change",
    [{"code_challenge_method": "plain"}, {"code_challenge_method": None}, {"code_challenge": None}],
)
async def test_row_27_the_issuer_refuses_less_than_s256(
    browser: Browser, change: dict[str, str | None]
) -> None:
    sent = query_of((await browser.get("/login")).headers["location"])
    worse = {name: value for name, value in (sent | change).items() if value}
    answer = await browser.get(f"{ISSUER}/authorize?{urlencode(worse)}")
    assert query_of(answer.headers.get("location", "")).get("error") == "invalid_request"
    form = {"asked": urlencode(worse), "person": "vic"}
    answer = await browser.post(f"{ISSUER}/login", data=form)
    assert "code=" not in answer.headers["location"]


async def test_row_28_a_code_without_challenge_buys_nothing(browser: Browser, auth: Auth) -> None:
    code = query_of(await browser.to_callback())["code"]
    async with auth.services.database.session() as session:
        await session.execute(update(IssuerGrant).values(challenge=""))
    with pytest.raises(TokenDenied):
        await auth.providers["development"].exchange(code, "v" * 64)


async def test_row_29_a_foreign_code_in_ones_own_login(open_browser: Open, auth: Auth) -> None:
    attacker, victim = open_browser(), open_browser()
    stolen = query_of(await attacker.to_callback("ada"))["code"]
    own = query_of(await victim.to_callback("vic"))
    answer = {**own, "code": stolen}
    await refused(victim, f"/auth/callback/development?{urlencode(answer)}", auth)


async def test_row_30_a_code_that_comes_twice(browser: Browser, auth: Auth) -> None:
    verifier = "v" * 64
    sent = query_of((await browser.get("/login")).headers["location"])
    asked = urlencode(sent | {"code_challenge": challenge(verifier)})
    form = {"asked": asked, "person": "vic"}
    answer = await browser.post(f"{ISSUER}/login", data=form)
    code = query_of(answer.headers["location"])["code"]
    provider = auth.providers["development"]
    tokens = await provider.exchange(code, verifier)
    with pytest.raises(TokenDenied):
        await provider.exchange(code, verifier)
    with pytest.raises(TokenDenied):
        await provider.refresh(tokens.refresh_token or "")


async def test_row_31_a_state_that_is_not_ours(
    browser: Browser, open_browser: Open, auth: Auth, asked: list[str]
) -> None:
    other = query_of(await open_browser().to_callback("ann"))["state"]
    own = query_of(await browser.to_callback())
    asked.clear()
    for state in (None, "", "wrong", other, own["state"].lower()):
        answer = {**own, "state": state or ""}
        if state is None:
            del answer["state"]
        await refused(browser, f"/auth/callback/development?{urlencode(answer)}", auth)
    assert [one for one in asked if one.startswith("POST")] == []


async def test_row_31_an_answer_counts_once(browser: Browser, auth: Auth, asked: list[str]) -> None:
    address = await browser.to_callback()
    kept = browser.cookie(flow.BROWSER_COOKIE) or ""
    await browser.get(address)
    assert await rows(auth, AppSession) == 1
    asked.clear()
    browser.http.cookies.set(flow.BROWSER_COOKIE, kept, domain="app.example")
    assert (await browser.get(address)).status_code == 400
    assert asked == []


async def test_row_31_an_answer_that_comes_too_late(
    browser: Browser, auth: Auth, asked: list[str]
) -> None:
    address = await browser.to_callback()
    async with auth.services.database.session() as session:
        await session.execute(update(Flow).values(expires_at=utcnow()))
    asked.clear()
    await refused(browser, address, auth)
    assert asked == []


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None, f"{ISSUER}/"])
async def test_row_32_an_answer_of_another_issuer(
    browser: Browser, auth: Auth, asked: list[str], issuer: str | None
) -> None:
    answer = query_of(await browser.to_callback())
    del answer["iss"]
    if issuer is not None:
        answer["iss"] = issuer
    asked.clear()
    await refused(browser, f"/auth/callback/development?{urlencode(answer)}", auth)
    assert [one for one in asked if one.startswith("POST")] == []


async def test_row_33_the_answer_of_one_provider_to_anothers_login(
    browser: Browser, auth: Auth, asked: list[str]
) -> None:
    lying = Lying()
    auth.providers["lying"] = lying.provider
    sent = await browser.get("/login?provider=lying&next=/account")
    query = query_of(sent.headers["location"])
    assert query["redirect_uri"] == f"{SITE}/auth/callback/lying"
    answer = {"state": query["state"], "code": "x", "iss": ISSUER}
    await refused(browser, f"/auth/callback/development?{urlencode(answer)}", auth)
    assert "/token" not in lying.asked
    assert [one for one in asked if one.startswith("POST")] == []
    assert (await browser.get("/auth/callback/unheard?state=x&code=y")).status_code == 404


async def test_row_34_a_login_that_another_browser_began(
    open_browser: Open, auth: Auth, asked: list[str]
) -> None:
    attacker, victim = open_browser(), open_browser()
    address = await attacker.to_callback("ada")
    asked.clear()
    await refused(victim, address, auth)
    # The victim's browser has begun a login of its own, too.
    address = await attacker.to_callback("ada")
    await victim.to_callback("vic")
    asked.clear()
    await refused(victim, address, auth)
    assert asked == []


async def test_row_35_the_clients_assertion_is_for_the_issuer_alone(tmp_path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    lying = Lying(client_key_file=tmp_path / "key.pem")
    lying.answers["/token"] = {"access_token": "a", "token_type": "Bearer"}
    await lying.provider.exchange("code", "verifier")
    form = dict(httpx2.QueryParams(lying.forms[-1]))
    assert "client_secret" not in form
    said = json.loads(jws.extract_compact(form["client_assertion"].encode()).payload)
    assert said["aud"] == lying.issuer
    assert (said["iss"], said["sub"]) == ("app", "app")
    assert said["exp"] - said["iat"] <= 60


HOSTILE = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "/%2f%2fevil.example",
    "%2f%2fevil.example",
    "/%252f%252fevil.example",
    "/%5cevil.example",
    "/\tevil.example",
    "/a\r\nSet-Cookie: b=c",
    "/%0d%0aSet-Cookie:%20b=c",
    " /account",
    "evil.example",
    "",
    "/" * 600,
]


async def test_row_36_after_the_login_one_stays_here(browser: Browser) -> None:
    assert {local_target(target) for target in HOSTILE} == {"/"}
    for target in HOSTILE[:3]:
        start = f"/login?{urlencode({'next': target})}"
        answer = await browser.get(await browser.to_callback(start=start))
        assert answer.headers["location"] == "/"


async def test_row_36_a_path_of_this_site_is_kept() -> None:
    for target in ("/", "/account", "/inbox?status=open&q=%20a", "/a//b"):
        assert local_target(target) == target


NOT_REGISTERED = [
    f"{SITE}/auth/callback/development/",
    f"{SITE}/auth/callback/development.evil.example",
    f"{SITE}/auth/callback/development/../../x",
    f"{SITE}/auth/callback/development?x=1",
    f"{SITE}:444/auth/callback/development",
    f"{SITE}@evil.example/auth/callback/development",
    "https://app.example.evil.example/auth/callback/development",
    "http://app.example/auth/callback/development",
    f"{SITE}/AUTH/callback/development",
    "",
]


async def test_row_37_an_address_that_is_not_registered(browser: Browser) -> None:
    sent = query_of((await browser.get("/login")).headers["location"])
    for address in NOT_REGISTERED:
        wrong = urlencode(sent | {"redirect_uri": address})
        answer = await browser.get(f"{ISSUER}/authorize?{wrong}")
        assert (answer.status_code, "location" in answer.headers) == (400, False), address
        answer = await browser.post(f"{ISSUER}/login", data={"asked": wrong, "person": "vic"})
        assert (answer.status_code, "location" in answer.headers) == (400, False), address


async def test_row_49_who_takes_anothers_email_stays_who_they_are(
    browser: Browser, open_browser: Open, auth: Auth
) -> None:
    victim = await browser.sign_in("vic")
    assert "vic@example.com" in victim.text
    lying, thief = Lying(), open_browser()
    auth.providers["lying"] = lying.provider
    # Even their name at the other provider, which counts only together with that.
    claimed = {"sub": "vic", "email": "vic@example.com", "name": "Vic Viewer"}
    sent = query_of((await thief.get("/login?provider=lying&next=/account")).headers["location"])
    token = lying.id_token(nonce=sent["nonce"], **claimed)
    lying.answers["/token"] = {"access_token": "a", "id_token": token, "token_type": "Bearer"}
    lying.answers["/userinfo"] = claimed
    answer = urlencode({"state": sent["state"], "code": "c"})
    taken = await thief.get(f"/auth/callback/lying?{answer}")
    page = await thief.get(taken.headers["location"])
    assert _known_as(page) != _known_as(victim)


def _known_as(page: httpx2.Response) -> str:
    return page.text.split("Known as</dt><dd>")[1].split("<")[0]


async def test_row_56_a_provider_that_is_not_the_one_it_was() -> None:
    for change in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"jwks_uri": "http://idp.example/jwks"},
        {"token_endpoint": "https://idp.example@evil.example/token"},
        {"userinfo_endpoint": "https://idp.example.evil.example/"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        lying = Lying()
        await lying.provider.metadata()
        known = lying.provider._metadata
        assert known is not None
        lying.provider._metadata = (float("-inf"), known[1])
        lying.metadata |= change
        # What was known serves on, and the change is told.
        assert await lying.provider.metadata() == known[1]
        fresh = Lying()
        fresh.metadata |= change
        with pytest.raises(FetchFailed):
            await fresh.provider.metadata()
    allowed = Lying(endpoint_hosts=frozenset({"keys.example"}))
    allowed.metadata["jwks_uri"] = "https://keys.example/jwks"
    assert await allowed.provider.metadata()


async def test_row_56_a_clock_that_jumps(
    browser: Browser, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    lying = Lying()
    token = lying.id_token()
    for jump in (-86_400, 86_400):
        monkeypatch.setattr("app.auth.tokens.time.time", lambda jump=jump: now + jump)
        with pytest.raises(TokenRefused):
            await lying.provider.id_claims(token, "n")
    monkeypatch.setattr("app.auth.tokens.time.time", lambda: now)
    assert await lying.provider.id_claims(token, "n")


async def test_a_login_weaker_than_was_asked_is_refused(browser: Browser, auth: Auth) -> None:
    """Who cuts the second factor out of the address does not get in without."""
    address = (await browser.get("/login?step_up=1&max_age=60")).headers["location"]
    sent = query_of(address)
    assert (sent["acr_values"], sent["max_age"]) == (MFA, "60")
    del sent["acr_values"]
    form = {"asked": urlencode(sent), "person": "ada"}
    answer = await browser.post(f"{ISSUER}/login", data=form)
    await refused(browser, answer.headers["location"], auth)
    assert flow.LASTS_S <= 600
