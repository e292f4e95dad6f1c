"""People, keys, tenants and the audit in real browsers, each person in one of their own.

They sign in at the development issuer, and only who was invited comes in. The pages are used
without JavaScript: they have none.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.settings import Settings
from tests.browser.conftest import Served, follow
from tests.browser.people import (
    SECRET,
    command,
    invited,
    joined,
    joined_again,
    own_tenant,
    sign_in,
    use_issuer,
)

pytestmark = pytest.mark.browser

Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def development_issuer(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before `served`: the application reads its settings then, and so do commands."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    use_issuer(monkeypatch, tmp_path)


@pytest.fixture
def site(served: Served) -> str:
    """Where the issuer sends people back to; the tenant `default` is there."""
    own_tenant()
    return served.by_name


@pytest.fixture
def open_page(browser: Any, site: str) -> Iterator[Open]:
    contexts = []

    def open_one(**options: Any) -> Any:
        options.setdefault("java_script_enabled", False)
        contexts.append(browser.new_context(base_url=site, accept_downloads=True, **options))
        contexts[-1].set_default_timeout(15_000)
        return contexts[-1].new_page()

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def ada(open_page: Open) -> Any:
    """A page of the first administrator, whom the owner of the installation has invited."""
    return joined(open_page(), "ada", invited("Ada", "admin"))


def card(page: Any, name: str) -> Any:
    return page.get_by_role("article", name=name)


def fact(page: Any, term: str) -> str:
    return (
        page.locator("dl.facts div")
        .filter(has=page.get_by_text(term, exact=True))
        .locator("dd")
        .first.inner_text()
    )


def heading(page: Any) -> str:
    return page.locator("h1").inner_text()


def bar(page: Any) -> list[str]:
    return page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()


def actions(page: Any, query: str = "") -> list[str]:
    """The actions on the audit's page, the oldest first."""
    page.goto(f"/audit?{query}")
    return page.locator("article.item h2 a").all_inner_texts()[::-1]


def test_from_an_invitation_to_the_way_out(ada: Any, open_page: Open) -> None:
    ada.goto("/people")
    assert heading(ada) == "People of Acme Bank"
    ada.get_by_label("Who is it for?").fill("Vic, of sales")
    follow(ada.get_by_role("button", name="Make a link"))
    assert heading(ada) == "No role was chosen"
    follow(ada.get_by_role("link", name="Go back"))
    ada.get_by_label("Who is it for?").fill("Vic, of sales")
    form = ada.locator("form", has=ada.get_by_role("button", name="Make a link"))
    form.get_by_label("Agent").check()
    follow(form.get_by_role("button"))
    link = ada.get_by_label("Link").input_value()
    follow(ada.get_by_role("link", name="I have it"))
    assert card(ada, "Vic, of sales").is_visible()

    vic = open_page()
    vic.goto(link)
    assert heading(vic) == "Join Acme Bank"
    assert "Ada Admin invites you" in vic.locator("main").inner_text()
    follow(vic.get_by_role("button", name="Sign in and join"))
    sign_in(vic, "vic")
    vic.goto("/account")
    assert (fact(vic, "Roles"), fact(vic, "Tenant")) == ("Agent", "Acme Bank")
    assert bar(vic) == ["Inbox", "Help articles", "Account"]
    again = open_page()
    again.goto(link)
    assert heading(again) == "This invitation works no more"

    ada.goto("/people")
    assert card(ada, "Vic, of sales").count() == 0
    card(ada, "Vic Viewer").locator("summary", has_text="Roles").click()
    card(ada, "Vic Viewer").get_by_label("Agent").uncheck()
    card(ada, "Vic Viewer").get_by_label("Viewer:").check()
    follow(ada.get_by_role("button", name="Save roles of Vic Viewer"))
    assert ada.get_by_role("status").inner_text() == "The roles are saved."
    # The session has ended; the issuer's has not, so that they are back with what they are now.
    vic.goto("/account")
    assert fact(vic, "Roles") == "Viewer"

    card(ada, "Vic Viewer").locator("summary", has_text="Remove").click()
    follow(ada.get_by_role("button", name="Yes, remove Vic Viewer"))
    assert card(ada, "Vic Viewer").count() == 0
    vic.goto("/account")
    assert heading(vic) == "You have no access here"
    follow(vic.get_by_role("link", name="Sign in as somebody else"))
    assert heading(vic) == "Who are you?"

    card(ada, "Ada Admin").locator("summary", has_text="Remove").click()
    follow(ada.get_by_role("button", name="Yes, remove Ada Admin"))
    assert heading(ada) == "The last one who manages people"
    follow(ada.get_by_role("link", name="Go back"))
    assert card(ada, "Ada Admin").is_visible()
    invitation = ["person.invite", "person.join"]
    assert actions(ada, "action=person.*") == [
        *invitation,
        *invitation,
        "person.roles",
        "person.remove",
    ]


def test_the_audit_is_filtered_taken_along_and_verified(ada: Any, tmp_path: Path) -> None:
    command("map", "https://login.example.com", "staff", "viewer")
    ada.goto("/audit")
    ada.get_by_label("Action").fill("person.*")
    follow(ada.get_by_role("button", name="Show"))
    assert ada.locator("article.item h2 a").all_inner_texts() == ["person.join", "person.invite"]
    assert "Ada Admin" in ada.locator("article.item").first.inner_text()
    with ada.expect_download() as download:
        ada.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "audit.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [row["action"] for row in rows] == ["person.join", "person.invite"]
    follow(ada.get_by_role("link", name="Show all"))
    follow(ada.get_by_role("button", name="Verify the chain"))
    assert "The chain is whole, from the first entry to entry 5" in (
        ada.get_by_role("status").inner_text()
    )
    ada.get_by_label("About").fill("group:none")
    follow(ada.get_by_role("button", name="Show"))
    assert ada.get_by_text("No entry is like this").is_visible()


def test_a_key_is_shown_once_renewed_with_an_overlap_and_revoked(ada: Any, site: str) -> None:
    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.get(f"{site}/tickets", headers=headers).status_code

    ada.goto("/keys")
    assert ada.get_by_text("No program has a key yet").is_visible()
    ada.get_by_label("Which program is it for?").fill("importer")
    ada.get_by_label("tickets:read").check()
    follow(ada.get_by_role("button", name="Make a key"))
    first = ada.get_by_label("Key").input_value()
    assert status(first) == 200
    follow(ada.get_by_role("link", name="I have it"))
    assert first not in ada.content()
    assert "Ada Admin" in card(ada, "importer").inner_text()
    follow(ada.get_by_role("button", name="Rotate importer"))
    second = ada.get_by_label("Key").input_value()
    assert (status(first), status(second)) == (200, 200), "the overlap"
    follow(ada.get_by_role("link", name="I have it"))
    name = "_".join(first.split("_")[:2])
    old = ada.locator("article.item", has_text=f"{name}_")
    old.locator("summary", has_text="Revoke").click()
    follow(old.get_by_role("button", name="Yes, revoke importer"))
    assert ada.get_by_role("status").inner_text() == "The key is revoked."
    assert (status(first), status(second)) == (401, 200)
    assert actions(ada, "action=key.*") == ["key.create", "key.rotate", "key.revoke"]


def test_another_tenant_is_another_inbox_in_another_session(
    open_page: Open, served: Served, site: str
) -> None:
    def cookie() -> str:
        kept = {each["name"]: each["value"] for each in vic.context.cookies()}
        return kept["__Host-session"]

    served.send("Where is my card?")
    command("tenant", "second", "--name", "Second Bank")
    vic = joined(open_page(), "vic", invited("Vic", "viewer"))
    vic = joined_again(vic, invited("Vic", "agent", "second"))
    vic.goto("/inbox")
    assert vic.locator("tr.ticket").count() == 0
    vic.goto("/account")
    assert (fact(vic, "Tenant"), fact(vic, "Roles")) == ("Second Bank", "Agent")
    follow(vic.get_by_role("link", name="Tenants"))
    assert "you are here" in card(vic, "Second Bank").inner_text()
    before = cookie()
    follow(vic.get_by_role("button", name="Go on in Acme Bank"))
    vic.wait_for_url("**/inbox")
    assert vic.get_by_role("link", name="Where is my card?").is_visible()
    vic.goto("/account")
    assert (fact(vic, "Tenant"), fact(vic, "Roles")) == ("Acme Bank", "Viewer")
    assert cookie() != before
    stolen = httpx2.get(f"{site}/account", headers={"Cookie": f"__Host-session={before}"})
    assert stolen.status_code == 303, "the session of before has ended"


def test_a_session_elsewhere_is_ended(ada: Any, open_page: Open) -> None:
    other = open_page()
    other.goto("/account")
    sign_in(other, "ada")
    ada.goto("/account")
    assert ada.get_by_text("this one").count() == 1
    follow(ada.get_by_role("button", name="Sign out there"))
    assert ada.get_by_role("button", name="Sign out there").count() == 0
    other.context.clear_cookies(name="__Host-issuer")
    other.goto("/account")
    assert heading(other) == "Who are you?"


def test_a_group_and_a_program_of_the_provider(ada: Any, open_page: Open, site: str) -> None:
    def program() -> int:
        form = {"grant_type": "client_credentials", "client_id": "app", "scope": "tickets:read"}
        answer = httpx2.post(
            f"{site}/development-issuer/token", data=form | {"client_secret": SECRET}
        ).json()
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        return httpx2.get(f"{site}/tickets", headers=headers).status_code

    vic = open_page()
    vic.goto("/account")
    sign_in(vic, "vic")
    assert heading(vic) == "You have no access here"
    assert program() == 401
    ada.goto("/people")
    follow(ada.get_by_role("link", name="Groups and programs"))
    ada.get_by_label("Group, as").fill("support")
    ada.locator("select[name=role]").select_option("agent")
    follow(ada.get_by_role("button", name="Give the role"))
    ada.get_by_label("Client id").fill("app")
    ada.get_by_label("Viewer:").check()
    follow(ada.get_by_role("button", name="Let it in"))
    assert program() == 200
    vic.goto("/account")
    assert fact(vic, "Roles") == "Agent"
    card(ada, "app").locator("summary").click()
    follow(ada.get_by_role("button", name="Yes, shut app out"))
    assert program() == 401
    card(ada, "support").locator("summary").click()
    follow(ada.get_by_role("button", name="Yes, take agent from support"))
    vic.goto("/account")
    assert heading(vic) == "You have no access here"
    asked = ("group.map", "client.roles", "client.roles", "group.unmap")
    assert [name for name in actions(ada) if name in asked] == list(asked)


def test_somebody_is_suspended_by_keyboard_alone(ada: Any, open_page: Open) -> None:
    joined(open_page(), "vic", invited("Vic", "viewer"))
    page = open_page(storage_state=ada.context.storage_state(), java_script_enabled=True)
    page.goto("/people")
    tab_to(page, "Suspend Vic Viewer")
    page.keyboard.press("Enter")
    tab_to(page, "Yes, suspend Vic Viewer")
    page.keyboard.press("Enter")
    page.get_by_text("Suspended, and signed out everywhere.").wait_for()
    assert "suspended" in card(page, "Vic Viewer").inner_text()


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the focus is on what is called so; it is seen wherever it goes."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => [document.activeElement.textContent.replace(/\\s+/g, ' ').trim(),"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert focused[1] != "none", focused[0]
        if focused[0] == name:
            return
    raise AssertionError(f"Tab never came to {name!r}")
