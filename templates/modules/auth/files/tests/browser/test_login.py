"""Signing in and out in a real browser: by keyboard, and for everybody."""

from pathlib import Path
from typing import Any

import pytest

from app.auth.issuer.people import people, totp
from tests.browser.conftest import Served
from tests.browser.everybody import Visit

pytestmark = pytest.mark.browser


def use_issuer(environment: pytest.MonkeyPatch, _folder: Path) -> None:
    environment.setenv("AUTH_PROVIDER", "development")
    environment.setenv("AUTH_PUBLIC_URL", "")


@pytest.fixture(autouse=True)
def development_issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before `served`: the application reads its settings then."""
    use_issuer(monkeypatch, tmp_path)


def chosen(page: Any, _served: Served) -> None:
    page.goto("/account")
    page.get_by_role("button", name="Continue as Vic Viewer").click()
    page.get_by_role("heading", name="Vic Viewer").wait_for()


def a_wrong_factor(page: Any, _served: Served) -> None:
    page.goto("/account")
    page.get_by_role("region", name="Ada Admin").get_by_label("Second factor").fill("000000")
    page.get_by_role("button", name="Continue as Ada Admin").click()
    page.get_by_role("alert").wait_for()


def elsewhere_too(page: Any, served: Served) -> None:
    """Signed in by two browsers, so that one may be signed out by the other."""
    chosen(page, served)
    page.context.clear_cookies()
    chosen(page, served)


def with_two_providers(page: Any, served: Served) -> None:
    providers = served.app.state.auth.providers
    providers["other"] = providers["development"]
    page.goto("/login")


def without_a_session(page: Any, served: Served) -> None:
    chosen(page, served)
    page.context.clear_cookies()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in and go back").wait_for()


def on_the_way_out(page: Any, served: Served) -> None:
    """The page that leads to the provider at once; here the way is closed."""
    chosen(page, served)
    page.route("**/development-issuer/**", lambda route: route.fulfill(status=204))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out here").wait_for()


def as_nobody(page: Any, served: Served) -> None:
    async def nobody(*_who: Any) -> None:
        return None

    served.app.state.auth.members = nobody
    page.goto("/account")
    page.get_by_role("button", name="Continue as Vic Viewer").click()
    page.get_by_role("heading", name="You have no access here").wait_for()


def out_at_the_issuer(page: Any, _served: Served) -> None:
    page.goto("/development-issuer/logout")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in again").wait_for()


_PAGES, _ISSUER = "app/auth/templates", "app/auth/issuer/templates"
PAGES = [
    Visit(f"{_PAGES}/account.html", elsewhere_too, use_issuer),
    Visit(f"{_PAGES}/again.html", without_a_session, use_issuer),
    Visit(f"{_PAGES}/leaving.html", on_the_way_out, use_issuer),
    Visit(f"{_PAGES}/login.html", with_two_providers, use_issuer),
    Visit(f"{_PAGES}/no_access.html", as_nobody, use_issuer),
    Visit(f"{_PAGES}/signed_out.html", "/signed-out", use_issuer),
    Visit(f"{_ISSUER}/choose.html", a_wrong_factor, use_issuer),
    Visit(f"{_ISSUER}/leave.html", "/development-issuer/logout", use_issuer),
    Visit(f"{_ISSUER}/left.html", out_at_the_issuer, use_issuer),
]


@pytest.fixture
def stranger(browser: Any, served: Served) -> Any:
    """A page of somebody who has not signed in; complaints of the browser fail the test."""
    context = browser.new_context(base_url=served.by_name)
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
