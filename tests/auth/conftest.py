"""A rendered application with a login, and a real browser."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from login_support import COOLDOWN_S, SECRET, Serve, Served, serving
from made import greenlane, new, run
from workflow_steps import clean_environment


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that had no login, and was given it."""
    folder = tmp_path_factory.mktemp("login") / "app"
    new("minimal", folder)
    greenlane("add", "auth", "--project", str(folder))
    run(folder, "uv", "sync", "--quiet")
    return folder


@pytest.fixture
def serve(rendered: Path, tmp_path: Path) -> Iterator[Serve]:
    """`serve(port, AUTH_...)`: the application, with a database of its own."""
    opened = []

    def start(port: int, **settings: str) -> Served:
        env = {
            "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/app.db",
            "AUTH_CLIENT_SECRET": SECRET,
            "AUTH_SECRET": SECRET,
            "AUTH_KEYS_COOLDOWN_S": str(COOLDOWN_S),
            "VIRTUAL_ENV": str(rendered / ".venv"),
            **settings,
        }
        app = str(rendered / ".venv/bin/app")
        migrated = subprocess.run(
            [app, "db", "upgrade"],
            cwd=rendered,
            env={**clean_environment(), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        url = f"http://localhost:{port}"
        command = [app, "serve", "--port", str(port)]
        context = serving(rendered, url, "/healthz", command, env | {"PORT": str(port)})
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "app.db", timeout=10, isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(5_000)
    yield context.new_page()
    context.close()
