"""People sign in by providers that others wrote, in a real browser, and out again."""

import json
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from login_support import COOLDOWN_S, SECRET, Serve, Served, free_port, serving
from made import run

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
MOCK = "oidc-provider-mock==0.3.4"
WELL_KNOWN = "/.well-known/openid-configuration"


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm package `oidc-provider`, which is certified."""
    folder = tmp_path_factory.mktemp("certified")
    for name in ("package.json", "provider.mjs"):
        shutil.copy(HERE / name, folder)
    run(folder, "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    return folder


@pytest.fixture(scope="session")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mock")
    run(folder, "uv", "venv", "--quiet", "venv")
    python = str(folder / "venv/bin/python")
    run(folder, "uv", "pip", "install", "--quiet", "--python", python, MOCK)
    return folder


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def provider(certified: Path, ports: tuple[int, int]) -> Iterator[Served]:
    port, application = ports
    url = f"http://127.0.0.1:{port}"
    command = ["node", "provider.mjs", str(port), f"http://localhost:{application}"]
    with serving(certified, url, WELL_KNOWN, command, {"CLIENT_SECRET": SECRET}) as served:
        yield served


@pytest.fixture
def application(provider: Served, ports: tuple[int, int], serve: Serve) -> Served:
    return serve(ports[1], AUTH_PROVIDER="oidc", AUTH_DISCOVERY_URL=provider.url + WELL_KNOWN)


def sign_in(page: Page, *, code: str = "") -> None:
    page.get_by_label("Name").fill("ada")
    if code:
        page.get_by_label("Second factor").fill(code)
    page.get_by_role("button", name="Sign in").click()


def is_signed_in(page: Page) -> None:
    page.get_by_role("heading", name="Ada Admin").wait_for()


def renew(database: sqlite3.Connection) -> None:
    """The next request has to ask the provider again."""
    database.execute("UPDATE auth_sessions SET fresh_until = '2020-01-01 00:00:00.000000'")


def acr(database: sqlite3.Connection) -> list[str]:
    return [row[0] for row in database.execute("SELECT acr FROM auth_sessions")]


def test_login_refresh_step_up_and_logout_by_a_certified_provider(
    application: Served, provider: Served, page: Page, database: sqlite3.Connection
) -> None:
    page.goto(f"{application.url}/account")
    assert page.url.startswith(provider.url)
    sign_in(page)
    is_signed_in(page)
    assert page.url == f"{application.url}/account"
    assert acr(database) == ["urn:app:pwd"]

    # Twice: the second time with the refresh token that the first one brought.
    for times in (1, 2):
        renew(database)
        page.reload()
        is_signed_in(page)
        provider.wait_for("grant refresh_token", times)

    page.goto(f"{application.url}/login?step_up=1&max_age=300&next=/account")
    sign_in(page, code="123456")
    is_signed_in(page)
    assert acr(database) == ["urn:app:mfa"]

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.get_by_role("heading", name="Signed out", exact=True).wait_for()
    assert acr(database) == []
    page.goto(f"{application.url}/account")
    page.get_by_label("Name").wait_for()
    assert [line for line in provider.lines if line.startswith(("error", "refused"))] == []


def test_the_provider_changes_its_key_and_nobody_is_lost(
    application: Served, provider: Served, page: Page, database: sqlite3.Connection
) -> None:
    page.goto(f"{application.url}/account")
    sign_in(page)
    is_signed_in(page)
    rotate(provider)
    # At once, when the new key may not be fetched yet, and as soon as it may.
    for times, pause in ((1, 0.0), (2, COOLDOWN_S + 0.1)):
        time.sleep(pause)
        renew(database)
        page.reload()
        is_signed_in(page)
        provider.wait_for("grant refresh_token", times)
    page.context.clear_cookies()
    page.goto(f"{application.url}/account")
    sign_in(page)
    is_signed_in(page)


def rotate(provider: Served) -> None:
    def kids() -> list[str]:
        with urllib.request.urlopen(f"{provider.url}/jwks", timeout=5) as response:  # noqa: S310
            return [key["kid"] for key in json.load(response)["keys"]]

    before = kids()
    urllib.request.urlopen(f"{provider.url}/rotate", data=b"", timeout=5).close()  # noqa: S310
    assert not set(before) & set(kids())


def test_a_logout_elsewhere_ends_the_session_here(
    application: Served, provider: Served, page: Page, database: sqlite3.Connection
) -> None:
    page.goto(f"{application.url}/account")
    sign_in(page)
    is_signed_in(page)
    page.goto(f"{provider.url}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    provider.wait_for("backchannel told")
    assert acr(database) == []


def test_the_doctor_finds_nothing_wrong_with_a_certified_provider(
    rendered: Path, provider: Served
) -> None:
    status, report = doctor(rendered, provider.url)
    assert (status, report["errors"]) == (0, [])
    status, report = doctor(rendered, f"{provider.url}/elsewhere")
    assert status == 1
    assert "404" in report["errors"][0]


def doctor(rendered: Path, url: str) -> tuple[int, dict]:
    command = [rendered / ".venv/bin/app", "auth", "doctor", url, "--json"]
    done = subprocess.run(command, cwd=rendered, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def test_login_and_logout_by_oidc_provider_mock(mock: Path, serve: Serve, page: Page) -> None:
    port, ours = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["venv/bin/python", str(HERE / "mock_provider.py"), "--port", str(port)]
    with serving(mock, url, WELL_KNOWN, command, {}) as provider:
        claims = json.dumps({"name": "Ada Admin", "roles": ["viewer"]}).encode()
        headers = {"Content-Type": "application/json"}
        put = urllib.request.Request(f"{url}/users/ada", claims, headers, method="PUT")  # noqa: S310
        urllib.request.urlopen(put, timeout=5).close()  # noqa: S310
        application = serve(
            ours,
            AUTH_PROVIDER="oidc",
            AUTH_DISCOVERY_URL=provider.url + WELL_KNOWN,
            AUTH_SCOPES="openid profile email",
        )
        page.goto(f"{application.url}/account")
        page.get_by_placeholder("sub").fill("ada")
        page.get_by_role("button", name="Authorize").click()
        is_signed_in(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="End session").click()
        page.get_by_role("heading", name="Signed out", exact=True).wait_for()


def test_login_refresh_and_logout_by_the_development_issuer(
    serve: Serve, page: Page, database: sqlite3.Connection
) -> None:
    application = serve(free_port(), AUTH_PROVIDER="development")
    page.goto(f"{application.url}/account")
    page.get_by_role("button", name="Continue as Vic Viewer").click()
    page.get_by_role("heading", name="Vic Viewer").wait_for()
    renew(database)
    page.reload()
    page.get_by_role("heading", name="Vic Viewer").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out", exact=True).wait_for()
    assert acr(database) == []
