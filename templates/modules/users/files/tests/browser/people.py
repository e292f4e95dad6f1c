"""How people come in at the development issuer, and to the pages of the feature."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.auth.issuer.people import people, totp
from app.users.commands import cli
from tests.browser.conftest import Served
from tests.browser.everybody import Visit

SECRET = "c" * 32
LONG = "Somebody with a name that is as long as names of people can be " * 2


def use_issuer(environment: pytest.MonkeyPatch, _folder: Path) -> None:
    for name, value in {
        "AUTH_PROVIDER": "development",
        "AUTH_PUBLIC_URL": "",
        "AUTH_CLIENT_ID": "app",
        "AUTH_CLIENT_SECRET": SECRET,
        "USERS_INVITED_ONLY": "true",
    }.items():
        environment.setenv(name, value)


def own_tenant() -> None:
    command("tenant", "default", "--name", "Acme Bank")


def use_tenant(environment: pytest.MonkeyPatch, folder: Path) -> None:
    use_issuer(environment, folder)
    own_tenant()


def command(*arguments: str) -> str:
    """Run `app users ...`. In a thread: Playwright has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(CliRunner().invoke, cli, arguments).result()
    assert done.exit_code == 0, done.output
    return done.output.strip()


def invited(label: str, role: str, tenant: str = "default") -> str:
    link = command("invite", label, "--role", role, "--tenant", tenant)
    return link[link.index("/join/") :]


def joined(page: Any, person: str, link: str) -> Any:
    page.goto(link)
    page.get_by_role("button", name="Sign in and join").click()
    sign_in(page, person)
    return page


def sign_in(page: Any, person: str) -> None:
    """Choose a person, with the second factor where they have one."""
    choice = page.get_by_role("region", name=people()[person].name)
    if secret := people()[person].totp:
        choice.get_by_label("Second factor").fill(totp(secret))
    choice.get_by_role("button").click()
    page.wait_for_url(lambda url: "/development-issuer/" not in url)


def joined_again(page: Any, link: str) -> Any:
    """Join by a link while being signed in at the issuer, which then asks nothing."""
    page.goto(link)
    page.get_by_role("button", name="Sign in and join").click()
    page.wait_for_url("**/inbox")
    return page


def administrator(page: Any, _served: Served) -> None:
    joined(page, "ada", invited("Ada", "admin"))


def people_and_invitations(page: Any, served: Served) -> None:
    joined(page, "vic", invited("Vic", "viewer"))
    page.context.clear_cookies()
    administrator(page, served)
    invited(LONG, "agent")
    page.goto("/people?done=roles")


def groups_and_programs(page: Any, served: Served) -> None:
    administrator(page, served)
    issuer = "https://login.example.com/a-long-address/of-a-realm"
    command("map", issuer, "support", "agent")
    command("client", issuer, "bot", "--role=agent")
    page.goto("/people/provider")


def new_key(page: Any, served: Served) -> None:
    administrator(page, served)
    page.goto("/keys")
    page.get_by_label("Which program is it for?").fill("importer")
    page.get_by_label("tickets:read").check()
    page.get_by_role("button", name="Make a key").click()
    page.get_by_label("Key").wait_for()


def rotated_key(page: Any, served: Served) -> None:
    new_key(page, served)
    page.goto("/keys")
    page.get_by_role("button", name="Rotate importer").click()
    page.get_by_label("Key").wait_for()
    page.goto("/keys")


def two_tenants(page: Any, served: Served) -> None:
    administrator(page, served)
    command("tenant", "second", "--name", "Second Bank")
    joined_again(page, invited("Ada", "agent", "second"))
    page.goto("/account/tenants")


def invitation(page: Any, _served: Served) -> None:
    page.goto(invited(LONG, "agent"))


_PAGES = "app/users/templates"
PAGES = [
    Visit(f"{_PAGES}/people.html", people_and_invitations, use_tenant),
    Visit(f"{_PAGES}/provider.html", groups_and_programs, use_tenant),
    Visit(f"{_PAGES}/keys.html", rotated_key, use_tenant),
    Visit(f"{_PAGES}/shown_once.html", new_key, use_tenant),
    Visit(f"{_PAGES}/tenants.html", two_tenants, use_tenant),
    Visit(f"{_PAGES}/join.html", invitation, use_tenant),
]
