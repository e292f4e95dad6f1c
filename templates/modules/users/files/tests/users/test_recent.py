"""A token's owner is looked up once in a while, and what is changed counts all the same."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access import Access
from app.core.db import Database, utcnow
from app.users import people
from app.users.directory import (
    map_group,
    members_by_directory,
    set_client,
    suspend_tenant,
    unmap_group,
)
from app.users.models import Member
from app.users.recent import LASTS_S, Recent
from tests.users.conftest import ADA, ISSUER, ROOT, TABLE, add_account, add_member

pytestmark = pytest.mark.anyio

Roles = frozenset[str] | None


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Tokens:
    """What the owner of a token is, as each request asks."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self._database = database
        self._members = members_by_directory("groups", None, Recent(self.clock))

    async def roles(self, name: str, *groups: str) -> Roles:
        claims = {"iss": ISSUER, "sub": name, "groups": list(groups)}
        async with self._database.reader() as session:
            account = None if name == "robot" else await add_account(session, name)
            found = await self._members(session, account, claims)
        return found.roles if found else None


@pytest.fixture
async def tokens(database: Database) -> Tokens:
    async with database.session() as session:
        await add_member(session, "acme", "bob", ["agent"])
        await map_group(session, TABLE, ADA, ISSUER, "support", "operator")
        await set_client(session, TABLE, ADA, ISSUER, "robot", ["agent"])
    return Tokens(database)


CHANGES: dict[str, tuple[Callable[[AsyncSession, Access], object], Roles]] = {
    "removed": (lambda s, t: people.remove(s, t, ADA, "bob"), None),
    "suspended": (lambda s, t: people.suspend(s, t, ADA, "bob", True), None),
    "other roles": (
        lambda s, t: people.set_roles(s, t, ADA, "bob", ["viewer"]),
        frozenset({"viewer"}),
    ),
    "the tenant is out": (lambda s, t: suspend_tenant(s, ROOT, True), None),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_65_what_this_process_changes_counts_at_once(
    database: Database, tokens: Tokens, change: str
) -> None:
    make, expected = CHANGES[change]
    assert await tokens.roles("bob") == {"agent"}
    async with database.session() as session:
        await make(session, TABLE)  # type: ignore[misc]
        assert await tokens.roles("bob") == {"agent"}, "not before it is committed"
    assert await tokens.roles("bob") == expected


async def test_65_groups_and_programs_too(database: Database, tokens: Tokens) -> None:
    assert await tokens.roles("bob") == {"agent"}
    assert await tokens.roles("bob", "support") == {"agent", "operator"}, "who says more is more"
    assert await tokens.roles("robot") == {"agent"}
    async with database.session() as session:
        await unmap_group(session, TABLE, ADA, ISSUER, "support", "operator")
        await set_client(session, TABLE, ADA, ISSUER, "robot", [])
    assert await tokens.roles("bob", "support") == {"agent"}
    assert await tokens.roles("robot") is None


async def test_65_what_another_process_changes_counts_within_seconds(
    database: Database, tokens: Tokens
) -> None:
    assert await tokens.roles("bob") == {"agent"}
    async with database.session() as session:
        # As seen from here: nothing of this process has changed.
        await session.execute(update(Member).values(suspended_at=utcnow()))
    assert await tokens.roles("bob") == {"agent"}, "not asked again, yet"
    tokens.clock.now += LASTS_S
    assert await tokens.roles("bob") is None
    async with database.session() as session:
        await session.execute(delete(Member))


async def test_65_an_answer_that_a_change_overtook_is_not_kept(
    database: Database, tokens: Tokens
) -> None:
    recent: Recent[str] = Recent(tokens.clock)

    async def overtaken() -> str:
        async with database.session() as session:
            await people.suspend(session, TABLE, ADA, "bob", True)
        return "before"

    async def fresh() -> str:
        return "after"

    assert await recent.get("bob", overtaken) == "before"
    assert await recent.get("bob", fresh) == "after"
