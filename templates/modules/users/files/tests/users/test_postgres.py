"""What counts once, on PostgreSQL, where transactions run beside each other."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.auth import flow
from app.auth.accounts import account_of
from app.auth.issuer import grants
from app.auth.issuer.grants import Denied
from app.auth.login import use_once
from app.auth.models import Account, Flow, IssuerGrant, IssuerSession
from app.auth.sealing import fingerprint
from app.auth.tokens import TokenRefused
from app.core.access import Access
from app.core.db import Database, utcnow
from app.core.problems import AppError
from app.settings import Settings
from app.users import people
from app.users.models import Member
from tests.postgres import ON_POSTGRES
from tests.users.conftest import ADA, ISSUER, add_account

pytestmark = ON_POSTGRES
TIMES = 6
HOUR = timedelta(hours=1)
REFUSALS = (AppError, Denied, TokenRefused)


@pytest.fixture
def settings(settings: Settings, postgres_url: str) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


async def succeeded(attempt: Callable[[int], Awaitable[object]]) -> int:
    """How many of several attempts at the same moment succeed; the others are refusals."""
    found = await asyncio.gather(*(attempt(n) for n in range(TIMES)), return_exceptions=True)
    failed = [one for one in found if isinstance(one, BaseException)]
    assert [one for one in failed if not isinstance(one, REFUSALS)] == []
    return TIMES - len(failed)


async def test_62_an_invitation_makes_one_member(database: Database, table: Access) -> None:
    async with database.session() as session:
        secret = await people.invite(session, table, ADA, "Bob", ["agent"], HOUR)
        for n in range(TIMES):
            await add_account(session, f"bob{n}")

    async def join(n: int) -> None:
        async with database.session() as session:
            await people.join(session, await add_account(session, f"bob{n}"), secret)

    await succeeded(join)
    async with database.reader() as session:
        names = select(func.count()).select_from(Member).where(Member.account_id != "ada")
        assert await session.scalar(names) == 1


async def test_62_a_code_and_a_refresh_token_are_good_for_one(database: Database) -> None:
    who = IssuerSession(id="s", person="vic", acr="pwd", auth_time=utcnow())
    asked = {"redirect_uri": "r", "code_challenge": grants.challenge("v")}
    async with database.session() as session:
        code = await grants.grant_code(session, who, asked)

    async def redeem(_: int) -> None:
        async with database.session() as session:
            grants.next_refresh(await grants.redeem_code(session, code, "v", "r"))

    assert await succeeded(redeem) == 1
    async with database.session() as session:
        grant = (await session.scalars(select(IssuerGrant))).one()
        grant.revoked_at = None
        token = grants.next_refresh(grant)

    async def refresh(_: int) -> None:
        async with database.session() as session:
            grants.next_refresh(await grants.redeem_refresh(session, token))

    assert await succeeded(refresh) == 1


async def test_62_an_answer_and_a_logout_token_count_once(database: Database) -> None:
    async with database.session() as session:
        session.add(
            Flow(
                state_hash=fingerprint("state"),
                browser_hash="b",
                provider="p",
                nonce="n",
                verifier="v",
                target="/",
                expires_at=utcnow() + HOUR,
            )
        )

    async def use(_: int) -> None:
        async with database.session() as session:
            await use_once(session, "token", utcnow().timestamp())

    assert await succeeded(lambda _: flow._taken(database, "state")) == 1
    assert await succeeded(use) == 1


async def test_71_a_first_login_at_the_same_moment(database: Database) -> None:
    async def first(_: int) -> None:
        async with database.session() as session:
            await account_of(session, {"iss": ISSUER, "sub": "new", "name": "Neo"})

    assert await succeeded(first) == TIMES
    async with database.reader() as session:
        accounts = select(func.count()).select_from(Account).where(Account.subject == "new")
        assert await session.scalar(accounts) == 1
