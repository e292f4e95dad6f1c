"""Signing in and out in a real browser: by keyboard, and for everybody."""

from typing import Any

import pytest

from app.auth.issuer.people import people, totp

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def development_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `served`: the application reads its settings then."""
    monkeypatch.setenv("AUTH_PROVIDER", "development")
    monkeypatch.setenv("AUTH_PUBLIC_URL", "")


@pytest.fixture
def stranger(browser: Any, served: Any) -> Any:
    """A page of somebody who has not signed in; complaints of the browser fail the test."""
    context = browser.new_context(base_url=served.url.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def test_in_by_keyboard_and_out(stranger: Any) -> None:
    stranger.goto("/account")
    stranger.get_by_role("button", name="Continue as Vic Viewer").focus()
    stranger.keyboard.press("Enter")
    stranger.get_by_role("heading", name="Vic Viewer").wait_for()
    names = {cookie["name"] for cookie in stranger.context.cookies()}
    assert names == {"__Host-session", "__Host-issuer"}
    stranger.get_by_role("button", name="Sign out").click()
    stranger.get_by_role("heading", name="Signed out", exact=True).wait_for()
    stranger.goto("/account")
    stranger.get_by_role("heading", name="Who are you?").wait_for()


def test_a_second_factor(stranger: Any) -> None:
    stranger.goto("/account")
    stranger.get_by_role("button", name="Continue as Ada Admin").click()
    card = stranger.get_by_role("region", name="Ada Admin")
    card.get_by_label("Second factor").fill(totp(people()["ada"].totp or ""))
    card.get_by_role("button").click()
    stranger.get_by_role("heading", name="Ada Admin").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(stranger: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    stranger.emulate_media(color_scheme=scheme)

    def check() -> None:
        found = axe.run(stranger).response["violations"]
        assert found == [], [violation["id"] for violation in found]
        stranger.set_viewport_size({"width": 360, "height": 800})
        assert stranger.evaluate("document.documentElement.scrollWidth <= innerWidth")

    stranger.goto("/account")
    stranger.get_by_role("heading", name="Who are you?").wait_for()
    check()
    stranger.get_by_role("button", name="Continue as Vic Viewer").click()
    stranger.get_by_role("heading", name="Vic Viewer").wait_for()
    check()
    stranger.goto("/signed-out")
    check()
