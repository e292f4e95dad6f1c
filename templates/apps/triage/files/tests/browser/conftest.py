"""A served application and a real browser. Run by `just browser`, which brings Playwright along."""

import asyncio
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from tests.conftest import SIGNED_IN, tester
from tests.triage.conftest import FakeClassifier, Writer

BROWSERS = ("chromium", "google-chrome")
# No sandbox: containers and continuous integration run as root, where Chromium has none.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Served:
    """A running application; `pause_s` is how long its writer takes for a piece of a draft."""

    url: str
    app: FastAPI
    pause_s: float = 0.0

    @property
    def by_name(self) -> str:
        """The address as a login knows it: the browser's cookies belong to that."""
        return self.url.replace("127.0.0.1", "localhost")

    def send(self, text: str) -> str:
        """File a ticket and return its id."""
        return httpx2.post(f"{self.url}/tickets", json={"text": text}, headers=SIGNED_IN).json()[
            "id"
        ]

    def wait_for(self, ticket_id: str, status: str) -> None:
        for _ in range(300):
            found = httpx2.get(f"{self.url}/tickets/{ticket_id}", headers=SIGNED_IN).json()
            if found["status"] == status:
                return
            time.sleep(0.05)
        raise TimeoutError(f"the ticket did not become {status}")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port that nobody takes while the application is made: browsers take free ones, too."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def served(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> Iterator[Served]:
    monkeypatch.setenv("TRIAGE_DRAFT_WRITE_INTERVAL_S", "0.05")
    monkeypatch.setenv("TRIAGE_FEED_POLL_S", "0.05")
    port = listening.getsockname()[1]
    app = create_app(settings.model_copy(update={"in_process_workers": True, "port": port}))
    app.state.services.authenticators.insert(0, tester)
    served = Served(f"http://127.0.0.1:{port}", app)
    _watch(app, served)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield served
    served.pause_s = 0.0
    app.state.triage_feed.close()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def _watch(app: FastAPI, served: Served) -> None:
    async def pause() -> None:
        await asyncio.sleep(served.pause_s)

    services = app.state.services
    slow = services.gateway.with_models(local=Writer(pause))
    vars(slow)["classifier"] = FakeClassifier()
    object.__setattr__(services, "gateway", slow)


@pytest.fixture(scope="session")
def playwright_api() -> Any:
    return pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: run `just browser`"
    )


@pytest.fixture(scope="session")
def browser(playwright_api: Any, migrated: Path) -> Iterator[Any]:
    """Chromium: CHROMIUM names it, or it is found on the path, or Playwright has its own.

    `migrated` goes first: Playwright keeps an event loop running in this thread, and the migration
    needs one of its own.
    """
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    with playwright_api.sync_playwright() as playwright:
        if named is None and not Path(playwright.chromium.executable_path).exists():
            pytest.fail(
                "no Chromium: run `just browser`, or set CHROMIUM to its path", pytrace=False
            )
        opened = playwright.chromium.launch(executable_path=named, args=ARGUMENTS)
        yield opened
        opened.close()


def follow(control: Any) -> None:
    """Use a link or a button, and wait for the page that it leads to."""
    with control.page.expect_navigation():
        control.click()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """A page of its own; the test fails when the browser complains about anything."""
    context = browser.new_context(
        base_url=served.url, viewport={"width": 1280, "height": 900}, extra_http_headers=SIGNED_IN
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
