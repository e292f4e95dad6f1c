"""The page /audit in a real browser."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.core.db import Database
from tests.audit.chains import write
from tests.browser.conftest import Served
from tests.browser.everybody import Visit
from tests.conftest import SIGNED_IN


def verified(page: Any, served: Served) -> None:
    """Some entries, and the chain found whole."""

    async def fill() -> None:
        database = Database(served.app.state.services.settings.database_url)
        await write(database, 3)
        await database.close()

    # In a thread: Playwright has an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fill()).result()
    page.context.set_extra_http_headers(SIGNED_IN)
    page.goto("/audit?check=true")
    page.get_by_role("status").wait_for()


_PAGE = "app/audit/templates/audit.html"
PAGES = [Visit(_PAGE, verified), Visit(_PAGE, "/audit?action=none", about="empty")]
