"""The API of tickets."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from app.services import Services
from app.triage import pipeline, streams
from tests.triage.conftest import file, triaged

CARD = {"text": "Where is my card? I am Ada Example."}


async def test_a_ticket_is_accepted_at_once(client: httpx2.AsyncClient) -> None:
    response = await client.post("/tickets", json=CARD | {"customer_id": "c-1"})
    assert response.status_code == 202
    accepted = response.json()
    assert accepted["status"] == "received"
    ticket = (await client.get(accepted["url"])).json()
    assert (ticket["id"], ticket["customer_id"]) == (accepted["id"], "c-1")
    assert ticket["masked_text"] == "Where is my card? I am [NAME_1]."
    assert ticket["draft"] is None
    # The original is for people who sign in to the inbox, not for the API.
    assert "Ada" not in json.dumps(ticket)


async def test_a_repeated_request_files_one_ticket(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await client.post("/tickets", json=CARD, headers=headers)
    again = await client.post("/tickets", json=CARD, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await client.post("/tickets", json={"text": "Something else"}, headers=headers)
    assert other.status_code == 422
    assert len((await client.get("/tickets")).json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \n "},
        {"text": "nul \0"},
        {"text": "x" * 10_001},
        {"text": "hi", "customer_id": "with space"},
        {"text": "hi", "unknown": 1},
    ],
)
async def test_a_ticket_that_makes_no_sense_is_refused(
    client: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    response = await client.post("/tickets", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_lists_are_paged_without_gaps_or_repeats(
    services: Services, client: httpx2.AsyncClient
) -> None:
    filed = [(await file(services, f"number {number}")).id for number in range(7)]

    async def walk(**parameters: str) -> list[str]:
        seen: list[str] = []
        cursor = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = (await client.get("/tickets", params={"limit": "3"} | parameters | more)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen
            # What arrives in the meantime does not shift the pages behind it.
            if not parameters:
                await file(services, "late")

    assert await walk() == filed[::-1]
    assert await walk(order="urgent", status="received") != []
    assert len(set(await walk(order="urgent"))) == len(await walk(order="urgent")) == 9


async def test_the_most_urgent_and_longest_waiting_come_first(
    services: Services, client: httpx2.AsyncClient
) -> None:
    texts = ["Where is my card?", "My card was stolen", "Where is it, asap?", "stolen again"]
    normal, stolen, high, stolen_too = [(await triaged(services, text)).id for text in texts]
    page = (await client.get("/tickets", params={"order": "urgent"})).json()
    assert [item["id"] for item in page["items"]] == [stolen, stolen_too, high, normal]


async def test_filters(services: Services, client: httpx2.AsyncClient) -> None:
    card = await triaged(services, "Where is my card?")
    stolen = await triaged(services, "My card was stolen")
    unsure = await triaged(services, "unsure what this is")
    waiting = await file(services, "Where is my card?")

    async def ids(**parameters: str) -> set[str]:
        page = await client.get("/tickets", params=parameters)
        return {item["id"] for item in page.json()["items"]}

    assert await ids(team="fraud") == {stolen.id}
    assert await ids(priority="urgent") == {stolen.id}
    assert await ids(status="received") == {waiting.id}
    assert await ids(unsure="true") == {unsure.id}
    assert await ids(team="cards", unsure="false") == {card.id}
    assert await ids(team="nobody") == set()


@pytest.mark.parametrize(
    "parameters",
    [{"cursor": "nonsense"}, {"cursor": "WyJ4Il0"}, {"status": "lost"}, {"limit": "0"}],
)
async def test_wrong_parameters_are_refused(client: httpx2.AsyncClient, parameters: dict) -> None:
    assert (await client.get("/tickets", params=parameters)).status_code == 422


async def test_a_cursor_is_for_the_order_it_was_made_in(
    services: Services, client: httpx2.AsyncClient
) -> None:
    for number in range(3):
        await file(services, f"number {number}")
    cursor = (await client.get("/tickets", params={"limit": "1"})).json()["next_cursor"]
    wrong = await client.get("/tickets", params={"cursor": cursor, "order": "urgent"})
    assert wrong.status_code == 422
    assert "next_cursor" in wrong.json()["detail"]


async def test_tickets_of_other_tenants_do_not_exist(
    services: Services, client: httpx2.AsyncClient
) -> None:
    theirs = await triaged(services, "Where is my card?", tenant="elsewhere")
    assert (await client.get("/tickets")).json()["items"] == []
    for path in ("", "/events"):
        assert (await client.get(f"/tickets/{theirs.id}{path}")).status_code == 404
    refused = await client.post(f"/tickets/{theirs.id}/feedback", json={"decision": "accept"})
    assert refused.status_code == 404


async def test_feedback_by_api(services: Services, client: httpx2.AsyncClient) -> None:
    ticket = await triaged(services, "Where is my card?")
    url = f"/tickets/{ticket.id}/feedback"
    headers = {"Idempotency-Key": "decide"}
    given = await client.post(url, json={"decision": "accept"}, headers=headers)
    assert given.status_code == 201
    assert given.json()["edit_distance"] == 0
    assert (await client.post(url, json={"decision": "accept"}, headers=headers)).status_code == 201
    assert (await client.post(url, json={"decision": "reject"})).status_code == 409
    view = (await client.get(f"/tickets/{ticket.id}")).json()
    assert view["status"] == "answered"
    assert view["feedback"]["decision"] == "accept"
    assert view["draft"]["citations"][0].keys() == {"number", "article_id", "title"}


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")
        )
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_a_ticket_can_be_followed_to_its_draft(
    services: Services, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await file(services, "Where is my card? I am Ada Example.")
    is_followed = asyncio.Event()

    async def seen_once(*arguments: Any) -> streams.Snapshot:
        current = await snapshot(*arguments)
        is_followed.set()
        return current

    snapshot = streams.snapshot
    monkeypatch.setattr(streams, "snapshot", seen_once)
    following = asyncio.create_task(client.get(f"/tickets/{ticket.id}/events"))
    async with asyncio.timeout(10):
        await is_followed.wait()
        await pipeline.run(services, ticket.id)
        response = await following
    assert response.headers["content-type"].startswith("text/event-stream")
    seen = events(response.text)
    assert seen[0][0] == "status"
    assert seen[0][1]["status"] == "received"
    assert seen[-1][0] == "done"
    final = seen[-1][1]
    assert final["status"] == "ready"
    pieces = [data for name, data in seen if name == "draft"]
    text = ""
    for piece in pieces:
        text = text[: piece["offset"]] + piece["text"]
    assert text == final["draft"]["text"]
    assert "Ada" not in response.text


async def test_a_finished_ticket_is_told_at_once(
    services: Services, client: httpx2.AsyncClient
) -> None:
    ticket = await triaged(services, "Where is my card?")
    response = await client.get(f"/tickets/{ticket.id}/events")
    assert [name for name, _ in events(response.text)] == ["status", "draft", "done"]
