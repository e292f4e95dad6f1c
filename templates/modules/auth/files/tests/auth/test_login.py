"""People sign in, do what their roles allow, and sign out."""

import pytest

from app.audit.models import AuditEntry
from app.auth.login import Auth
from app.auth.models import AppSession
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
    assert "(this one)" in page.text
    assert await rows(auth, AppSession) == 1
    assert await rows(auth, AuditEntry) == 1


async def test_signing_out_ends_both_sessions(browser: Browser, auth: Auth) -> None:
    await browser.sign_in("vic")
    left = await browser.post("/logout")
    assert left.status_code == 200
    assert await rows(auth, AppSession) == 0
