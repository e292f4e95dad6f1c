"""The pages of the inbox, as a browser without JavaScript gets them."""

import re

import httpx2
import pytest
from sqlalchemy import update

from app.services import Services
from app.triage import pipeline
from app.triage.models import Draft, Ticket
from app.triage.presentation import age, percent
from tests.triage.conftest import file, read, triaged

EVIL = "<script>alert(1)</script> \"quoted\" & 'more' <img src=x onerror=alert(2)>"


async def page(client: httpx2.AsyncClient, path: str, status: int = 200) -> str:
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    # The policy would stop these, and the page would silently do less.
    assert not re.search(r"<script(?![^>]*\bsrc=)", response.text)
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", response.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", response.text)
    return response.text


async def test_the_start_page_leads_to_the_inbox(client: httpx2.AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/inbox")


async def test_an_empty_inbox_says_how_to_send_a_ticket(client: httpx2.AsyncClient) -> None:
    html = await page(client, "/inbox")
    assert "uv run just demo" in html
    assert "app webhooks send ticket.created" in html
    assert "No ticket is like this" in await page(client, "/inbox?team=fraud")


async def test_a_row_says_what_is_known(services: Services, client: httpx2.AsyncClient) -> None:
    ticket = await triaged(services, "My card was stolen")
    html = await page(client, "/inbox")
    assert f'href="/inbox/{ticket.id}"' in html
    for text in ("Urgent", "Lost or stolen card", "97 %", "Fraud desk", "Draft ready"):
        assert text in html
    assert "aria-busy" not in html


async def test_a_ticket_in_work_is_a_skeleton(
    services: Services, client: httpx2.AsyncClient
) -> None:
    ticket = await file(services, "My card was stolen")
    for path in ("/inbox", f"/inbox/{ticket.id}"):
        html = await page(client, path)
        assert 'aria-busy="true"' in html
        assert 'class="skeleton' in html
    assert "sse-connect" in html
    assert 'class="decide"' not in html
    await pipeline.run(services, ticket.id)
    html = await page(client, f"/inbox/{ticket.id}")
    assert "aria-busy" not in html
    assert "sse-connect" not in html
    assert "Drafted without a language model" in html


async def test_what_people_write_stays_text(services: Services, client: httpx2.AsyncClient) -> None:
    ticket = await triaged(services, EVIL)
    async with services.database.session() as session:
        await session.execute(update(Draft).values(text=f"{EVIL} [1] [99]"))
        await session.execute(update(Ticket).values(customer_id='"><b>'))
    for path in ("/inbox", f"/inbox/{ticket.id}", "/inbox?customer=%22%3E%3Cb%3E"):
        html = await page(client, path)
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert '"><b>' not in html


async def test_a_draft_links_the_articles_that_it_cites(
    services: Services, client: httpx2.AsyncClient
) -> None:
    ticket = await triaged(services, "My card was stolen. I am Ada Example.")
    html = await page(client, f"/inbox/{ticket.id}")
    assert re.search(r'<a class="cite" href="/help/lost-or-stolen-card" title="[^"]+">\[1\]', html)
    # Stored masked; the agent sees whom to greet.
    assert "Hello Ada Example," in html
    assert "Freeze" in await page(client, "/help/lost-or-stolen-card")


async def test_filters_and_order(services: Services, client: httpx2.AsyncClient) -> None:
    card = await triaged(services, "Where is my card?")
    stolen = await triaged(services, "My card was stolen")

    async def shown(query: str) -> list[str]:
        return re.findall(r'id="open-(\w+)"', await page(client, f"/inbox?{query}"))

    assert await shown("") == [stolen.id, card.id]
    assert await shown("team=cards") == [card.id]
    assert await shown("priority=urgent") == [stolen.id]
    assert await shown("status=failed") == []
    assert await shown("state=done") == []
    # An address with mistakes shows what it can.
    assert await shown("team=nobody&order=upwards&state=gone") == [stolen.id, card.id]


async def test_a_page_has_a_next_one(
    services: Services, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGE_PAGE_SIZE", "2")
    filed = [(await triaged(services, "Where is my card?")).id for _ in range(3)]
    first = await page(client, "/inbox?team=cards")
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link
    following = await page(client, link[1].replace("&amp;", "&"))
    assert re.findall(r'id="open-(\w+)"', first + following) == filed[::-1]
    assert "team=cards" in link[1]


async def test_a_wrong_cursor_is_a_page_with_a_way_back(client: httpx2.AsyncClient) -> None:
    html = await page(client, "/inbox?cursor=nonsense", status=422)
    assert "Back to the start" in html


@pytest.mark.parametrize("path", ["/inbox/none", "/help/none"])
async def test_what_is_not_there_is_a_page_too(client: httpx2.AsyncClient, path: str) -> None:
    assert "Back to the start" in await page(client, path, status=404)


@pytest.mark.parametrize(
    ("form", "status", "verdict"),
    [
        ({"decision": "accept", "text": "sent along, not used"}, "answered", "Sent as drafted"),
        ({"decision": "edit", "text": "Another\r\nanswer"}, "answered", "Sent after an edit"),
        ({"decision": "reject", "text": "x", "reason": "wrong"}, "rejected", "rejected: wrong"),
    ],
)
async def test_a_form_decides(
    services: Services, client: httpx2.AsyncClient, form: dict, status: str, verdict: str
) -> None:
    ticket = await triaged(services, "Where is my card?")
    response = await client.post(f"/inbox/{ticket.id}/feedback", data=form)
    assert (response.status_code, response.headers["location"]) == (303, f"/inbox/{ticket.id}")
    assert (await read(services, ticket.id)).status == status
    html = await page(client, f"/inbox/{ticket.id}")
    assert verdict in html
    assert 'class="decide"' not in html
    again = await client.post(f"/inbox/{ticket.id}/feedback", data=form)
    assert again.status_code == 409
    assert "Already decided" in again.text


async def test_line_ends_of_a_form_are_no_edit(
    services: Services, client: httpx2.AsyncClient
) -> None:
    ticket = await triaged(services, "Where is my card?")
    form = {"decision": "edit", "text": "One line\r\n\r\nand another"}
    await client.post(f"/inbox/{ticket.id}/feedback", data=form)
    given = (await client.get(f"/tickets/{ticket.id}")).json()["feedback"]
    assert given["final_text"] == "One line\n\nand another"


async def test_an_empty_edit_is_refused(services: Services, client: httpx2.AsyncClient) -> None:
    ticket = await triaged(services, "Where is my card?")
    form = {"decision": "edit", "text": "  "}
    response = await client.post(f"/inbox/{ticket.id}/feedback", data=form)
    assert response.status_code == 422
    assert (await read(services, ticket.id)).status == "ready"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "http://test"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://test"}, True),
    ],
)
async def test_a_form_of_another_site_is_refused(
    services: Services, client: httpx2.AsyncClient, headers: dict, allowed: bool
) -> None:
    ticket = await triaged(services, "Where is my card?")
    response = await client.post(
        f"/inbox/{ticket.id}/feedback", data={"decision": "accept"}, headers=headers
    )
    assert response.status_code == (303 if allowed else 403)
    assert (await read(services, ticket.id)).status == ("answered" if allowed else "ready")


async def test_the_stream_of_a_ticket_ends_with_its_whole_view(
    services: Services, client: httpx2.AsyncClient
) -> None:
    ticket = await triaged(services, "Where is my card?")
    response = await client.get(f"/inbox/{ticket.id}/events")
    assert "event: work" in response.text
    assert "Accept and send" in response.text
    assert response.text.rstrip().endswith("event: done\ndata:")
    assert (await client.get("/inbox/none/events")).status_code == 404


async def test_static_files_are_kept_and_change_their_address(client: httpx2.AsyncClient) -> None:
    html = await page(client, "/inbox")
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', html)
    assert len(addresses) >= 5
    for address in addresses:
        response = await client.get(address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert "?v=" in address


async def test_help_lists_all_articles_and_keys(
    services: Services, client: httpx2.AsyncClient
) -> None:
    html = await page(client, "/help")
    for article in services.gateway.knowledge.articles:
        assert f'href="/help/{article}"' in html
    assert "Accept the draft" in html


def test_numbers_for_people() -> None:
    from datetime import timedelta

    from app.core.db import utcnow

    assert [percent(share) for share in (0.0, 0.456, 0.999, 1.0)] == ["0 %", "46 %", "99 %", "99 %"]
    ages = {0: "now", 59: "now", 60: "1 min", 7_300: "2 h", 200_000: "2 d", -5: "now"}
    assert [age(utcnow() - timedelta(seconds=s + 0.5)) for s in ages] == list(ages.values())
