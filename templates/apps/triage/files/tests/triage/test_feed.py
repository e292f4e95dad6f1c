"""Open pages hear of changes, whoever made them."""

import asyncio

import pytest

from app.core.db import Database
from app.services import Services
from app.triage import pipeline, repository
from app.triage.feed import Feed
from app.triage.streams import watch
from tests.triage.conftest import AGENT, STRANGER, Writer, file, read, written_by

QUIET_S = 0.15


async def test_a_change_of_another_process_is_heard(services: Services) -> None:
    feed = Feed(services.database, 0.01)
    ticket = await file(services, "Where is my card?")
    other = Database(services.settings.database_url)
    async with (
        feed.subscribe(AGENT.tenant) as inbox,
        feed.subscribe(AGENT.tenant, ticket.id) as page,
        feed.subscribe(AGENT.tenant, "another") as other_page,
        feed.subscribe(STRANGER.tenant) as stranger,
    ):
        # Filed a moment ago, so it is news to those who have just come.
        assert await inbox.changed(2)
        assert await page.changed(2)
        assert not await inbox.changed(QUIET_S)
        async with other.session() as session:
            await repository.touch(session, ticket.id, status="working")
        assert await inbox.changed(2)
        assert await page.changed(2)
        assert not await inbox.changed(QUIET_S)
        assert not await other_page.changed(0)
        assert not await stranger.changed(0)
    await other.close()


async def test_nothing_runs_while_nobody_listens(services: Services) -> None:
    feed = Feed(services.database, 0.01)
    async with feed.subscribe(AGENT.tenant):
        await asyncio.sleep(0.05)
    assert feed._loop is not None
    await asyncio.wait_for(feed._loop, 5)
    await file(services, "Where is my card?")
    async with feed.subscribe(AGENT.tenant) as inbox:
        assert await inbox.changed(2)


async def test_streams_end_when_the_process_stops(services: Services) -> None:
    feed = Feed(services.database, 0.01)
    ticket = await file(services, "Where is my card?")
    seen = []

    async def follow() -> None:
        async for current in watch(services, feed, AGENT, ticket.id):
            seen.append(current)

    async with feed.lifespan():
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
    await asyncio.wait_for(following, 5)
    assert seen


async def test_who_watches_sees_the_draft_grow(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGE_DRAFT_WRITE_INTERVAL_S", "0.02")
    feed = Feed(services.database, 0.01)
    ticket = await file(services, "Where is my card?")

    async def slowly() -> None:
        await asyncio.sleep(0.003)

    working = asyncio.create_task(pipeline.run(written_by(services, Writer(slowly)), ticket.id))
    lengths = []
    async with asyncio.timeout(10):
        async for current in watch(services, feed, AGENT, ticket.id):
            if current and current.draft:
                lengths.append(len(current.draft.text))
    await working
    assert lengths == sorted(lengths)
    assert len(set(lengths)) >= 3
    assert (await read(services, ticket.id)).status == "ready"
