"""People sign in, do what their roles allow, and sign out."""

import asyncio

import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from app.audit.models import AuditEntry
from app.auth.accounts import membership_of
from app.auth.login import Auth
from app.auth.models import AppSession
from app.auth.settings import AuthSettings
from app.cli import main
from app.settings import Settings
from tests.auth.conftest import Browser, rows

pytestmark = pytest.mark.anyio


async def test_whoever_opens_a_page_is_sent_to_sign_in_and_back(browser: Browser) -> None:
    sent = await browser.get("/account?x=1")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/login?next=%2Faccount%3Fx%3D1"
    page = await browser.sign_in("vic", start=sent.headers["location"])
    assert (page.status_code, page.url.path) == (200, "/account")


async def test_the_account_says_who_one_is(browser: Browser, auth: Auth) -> None:
    page = await browser.sign_in("vic")
    assert "Vic Viewer" in page.text
    assert "this one" in page.text
    assert await rows(auth, AppSession) == 1
    assert await rows(auth, AuditEntry) == 1


async def test_signing_out_ends_both_sessions(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    left = await browser.post("/logout")
    assert left.status_code == 200
    assert 'href="/account"' not in left.text, "offered to who is gone"
    assert await rows(auth, AppSession) == 0


def test_a_token_for_a_program(app: FastAPI, settings: Settings, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    made = CliRunner().invoke(main, ["auth", "token", "--scope", "metrics:read"])
    assert made.exit_code == 0, made.output

    async def status(path: str) -> int:
        headers = {"Authorization": f"Bearer {made.output.strip().splitlines()[-1]}"}
        return (await Browser(app).get(path, headers=headers)).status_code

    assert asyncio.run(status("/metrics")) == 200
    assert asyncio.run(status("/audit")) == 403


@pytest.mark.parametrize("said", [["viewer", "admin"], "viewer admin", {"viewer": {}, "admin": {}}])
def test_roles_are_a_list_a_text_or_the_keys_of_an_object(settings: Settings, said: object) -> None:
    found = membership_of({"roles": said}, settings, AuthSettings(_env_file=None))
    assert found is not None
    assert found.roles == {"viewer", "admin"}


@pytest.mark.parametrize(
    ("claim", "said", "tier"),
    [("tier", "gold", "gold"), ("tier", ["gold"], "standard"), ("", "gold", "standard")],
)
def test_the_contract_is_said_by_a_claim_if_that_is_set(
    settings: Settings, claim: str, said: object, tier: str
) -> None:
    found = membership_of({"tier": said}, settings, AuthSettings(_env_file=None, tier_claim=claim))
    assert found is not None
    assert found.tier == tier


async def test_the_provider_calls_the_address_after_the_logout_otherwise(
    browser: Browser, auth: Auth
) -> None:
    auth.settings.logout_parameter = "logout_uri"
    await browser.sign_in("vic")
    page = (await browser.post("/logout")).text
    assert "logout_uri=https%3A%2F%2Fapp.example%2Fsigned-out" in page
    assert "post_logout_redirect_uri" not in page
