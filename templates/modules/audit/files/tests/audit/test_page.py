"""The page /audit."""

import json
import re
from collections.abc import Collection
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.audit.log import record
from app.core.db import utcnow
from app.core.principal import Principal
from app.services import Services
from tests.audit.chains import ADA

pytestmark = pytest.mark.anyio


async def test_it_shows_the_tenants_own_entries(app: FastAPI, client: httpx2.AsyncClient) -> None:
    assert "Nothing was changed yet" in (await client.get("/audit")).text
    services: Services = app.state.services
    async with services.database.session() as session:
        await record(session, Principal("other", "bob"), "thing.change", "thing:hidden")
        for n in range(60):
            await record(session, ADA, "thing.change", f"thing:{n}", after={"text": "<b>"})
    page = await client.get("/audit")
    assert "thing:59" in page.text
    assert "thing:hidden" not in page.text
    assert "<b>" not in page.text
    (older,) = re.findall(r'href="(/audit\?[^"]+)">Older', page.text)
    second = await client.get(older.replace("&amp;", "&"))
    assert ("thing:0<" in second.text, "thing:59<" in second.text) == (True, False)
    assert "Older" not in second.text
    only = await client.get("/audit", params={"target": "thing:7"})
    assert ("thing:7<" in only.text, "thing:8<" in only.text) == (True, False)
    assert "thing:7<" not in (await client.get("/audit", params={"actor": "bob"})).text


async def test_an_export_has_the_tenants_own_entries(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    services: Services = app.state.services
    async with services.database.session() as session:
        await record(session, Principal("other", "bob"), "thing.change", "thing:hidden")
        for n in range(3):
            entry = await record(session, ADA, "thing.change", f"thing:{n}")
    answer = await client.get("/audit/export", params={"target": "thing:*"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["target"] for row in rows] == ["thing:2", "thing:1", "thing:0"]
    assert rows[0]["hash"] == entry.hash
    assert "attachment" in answer.headers["content-disposition"]


async def test_the_page_tells_a_broken_chain_from_a_whole_one(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    services: Services = app.state.services
    async with services.database.session() as session:
        await record(session, Principal("other", "bob"), "thing.change", "thing:hidden")
        await record(session, ADA, "thing.change", "thing:1")
    assert "The chain is" not in (await client.get("/audit")).text
    assert "The chain is whole" in (await client.get("/audit?check=true")).text
    async with services.database.session() as session:
        # Whoever owns the database can do this; the page's own transactions cannot.
        await session.execute(text("drop trigger audit_entries_no_update"))
        await session.execute(text("update audit_entries set actor = 'eve' where seq = 1"))
    page = await client.get("/audit?check=true")
    assert ("The chain is broken" in page.text, "hidden" in page.text) == (True, False)


async def test_who_and_what_is_shown_by_name(app: FastAPI, client: httpx2.AsyncClient) -> None:
    services: Services = app.state.services

    async def names(_session: Any, things: Collection[str]) -> dict[str, str]:
        return {thing: "Ada Admin" for thing in things if thing == "person:ada"}

    services.names.append(names)
    async with services.database.session() as session:
        after = {"roles": ["agent", "viewer"], "until": utcnow(), "by": None}
        await record(session, ADA, "thing.change", "thing:1", after=after)
    page = (await client.get("/audit")).text
    assert "Ada Admin" in page
    assert re.search(r"roles: agent, viewer; until: [-\d]+ [:\d]+ UTC; by: null<", page)
