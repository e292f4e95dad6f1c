"""The pages of people, keys, groups and programs, as a browser without JavaScript gets them."""

import httpx2
import pytest
from fastapi import FastAPI

from app.auth.login import Auth
from app.core.access import Access
from app.core.db import Database, utcnow
from app.core.principal import Principal
from tests.users.conftest import TABLE, actions

pytestmark = pytest.mark.anyio

FORM = {"Sec-Fetch-Site": "same-origin", "Referer": "http://test/people?done=roles"}


def issuer_of(app: FastAPI) -> str:
    auth: Auth = app.state.auth
    return next(provider.issuer for provider in auth.providers.values())


async def test_the_people_page_names_the_tenant_and_says_who_is_not_listed(
    client: httpx2.AsyncClient, tenant: str
) -> None:
    page = (await client.get("/people")).text
    assert "People of Acme Bank" in page
    assert "In development, whoever the login knows" in page


async def test_a_form_without_a_role_is_refused_by_a_page_with_a_way_back(
    client: httpx2.AsyncClient, tenant: str
) -> None:
    for form in ({"label": "Bob"}, {"roles": "agent"}):
        answer = await client.post("/people/invitations", data=form, headers=FORM)
        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")
        assert 'href="/people">Go back' in answer.text
    elsewhere = FORM | {"Referer": "http://test//evil.example/people"}
    answer = await client.post("/people/invitations", data=form, headers=elsewhere)
    assert "evil" not in answer.text


async def test_a_group_gets_a_role_and_loses_it(
    app: FastAPI, client: httpx2.AsyncClient, database: Database, tenant: str
) -> None:
    form = {"issuer": issuer_of(app), "group": "support", "role": "agent"}
    path = "/people/provider/groups"
    added = await client.post(path, data=form | {"change": "add"}, headers=FORM)
    assert (added.status_code, added.headers["location"]) == (303, "/people/provider?done=group")
    assert ">support<" in (await client.get("/people/provider")).text
    removed = await client.post(path, data=form | {"change": "remove"}, headers=FORM)
    assert removed.status_code == 303
    assert ">support<" not in (await client.get("/people/provider")).text
    assert (await actions(database))[-2:] == ["group.map", "group.unmap"]


async def test_a_program_is_let_in_and_shut_out(
    app: FastAPI, client: httpx2.AsyncClient, database: Database, tenant: str
) -> None:
    form = {"issuer": issuer_of(app), "client_id": "robot"}
    path = "/people/provider/programs"
    assert (
        await client.post(path, data=form | {"change": "set"}, headers=FORM)
    ).status_code == 422, "no role was chosen"
    let_in = form | {"change": "set", "roles": "agent"}
    assert (await client.post(path, data=let_in, headers=FORM)).status_code == 303
    assert ">robot<" in (await client.get("/people/provider")).text
    assert (
        await client.post(path, data=form | {"change": "remove"}, headers=FORM)
    ).status_code == 303
    assert ">robot<" not in (await client.get("/people/provider")).text
    assert (await actions(database))[-2:] == ["client.roles", "client.roles"]


async def test_groups_and_programs_are_changed_by_who_may_from_this_site_only(
    app: FastAPI, client: httpx2.AsyncClient, database: Database, tenant: str, table: Access
) -> None:
    before = await actions(database)
    forms = {
        "/people/provider/groups": {"group": "support", "role": "agent", "change": "add"},
        "/people/provider/programs": {"client_id": "robot", "roles": "agent", "change": "set"},
    }
    for path, form in forms.items():
        known, other = {"issuer": issuer_of(app)}, {"issuer": "https://typo.example"}
        unknown = await client.post(path, data=form | other, headers=FORM)
        assert (unknown.status_code, "No such provider" in unknown.text) == (422, True)
        crossing = await client.post(
            path, data=form | known, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert crossing.status_code == 403

    async def operator(_request: object) -> Principal:
        settings = app.state.services.settings
        return Principal(
            tenant,
            "olu",
            scopes=table.scopes_of(["operator"]),
            acr=settings.mfa_acr,
            auth_time=utcnow(),
        )

    app.state.services.authenticators.insert(0, operator)
    for path, form in forms.items():
        form = form | {"issuer": issuer_of(app)}
        assert (await client.post(path, data=form, headers=FORM)).status_code == 403
    assert await actions(database) == before
    for path in ("/people", "/keys", "/people/provider"):
        page = await client.get(path)
        assert (page.status_code, "<form" in page.text) == (200, False), path


@pytest.mark.parametrize("role", ["viewer", "operator", None])
async def test_the_bar_offers_what_one_may_open(
    app: FastAPI, client: httpx2.AsyncClient, tenant: str, role: str | None
) -> None:
    async def somebody(_request: object) -> Principal:
        scopes = TABLE.scopes_of([role]) if role else frozenset({"account:self"})
        return Principal(tenant, "vic", scopes=scopes)

    app.state.services.authenticators.insert(0, somebody)
    # Refused: whoever is known sees the bar all the same.
    page = (await client.get("/join/none")).text
    assert "Main" not in page, "nobody is asked who they are here"
    page = (await client.get("/account")).text
    offered = {path: f'href="{path}"' in page for path in ("/people", "/keys", "/audit")}
    assert offered == dict.fromkeys(offered, role == "operator")
    assert 'href="/account" aria-current="page"' in page
    assert 'href="/account/tenants"' in page
    assert 'href="/people/provider"' not in page
