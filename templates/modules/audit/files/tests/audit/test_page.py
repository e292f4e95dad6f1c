"""The page /audit."""

import re

import httpx2
import pytest
from fastapi import FastAPI

from app.audit.log import record
from app.core.principal import Principal
from app.services import Services
from tests.audit.chains import ADA

pytestmark = pytest.mark.anyio


async def test_it_shows_the_tenants_own_entries(app: FastAPI, client: httpx2.AsyncClient) -> None:
    assert "None." in (await client.get("/audit")).text
    services: Services = app.state.services
    async with services.database.session() as session:
        await record(session, Principal("other", "bob"), "thing.change", "thing:hidden")
        for n in range(60):
            await record(session, ADA, "thing.change", f"thing:{n}", after={"text": "<b>"})
    page = await client.get("/audit")
    assert "thing:59" in page.text
    assert "thing:hidden" not in page.text
    assert "<b>" not in page.text
    (older,) = re.findall(r'href="(/audit\?[^"]+)"', page.text)
    second = await client.get(older.replace("&amp;", "&"))
    assert ("thing:0<" in second.text, "thing:59<" in second.text) == (True, False)
    assert "Older" not in second.text
    only = await client.get("/audit", params={"target": "thing:7"})
    assert ("thing:7<" in only.text, "thing:8<" in only.text) == (True, False)
