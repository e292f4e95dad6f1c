"""People: invited once, never more than their inviter, the last admin stays."""

from datetime import timedelta

import httpx2
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.models import AuditEntry
from app.auth.accounts import Membership
from app.auth.models import AppSession
from app.auth.sessions import Login, begin
from app.core.access import Access
from app.core.db import Database, utcnow
from app.core.principal import Principal
from app.core.problems import AppError
from app.users import people
from app.users.commands import cli
from app.users.directory import (
    create_tenant,
    map_group,
    members_by_directory,
    set_client,
    suspend_tenant,
    unmap_group,
)
from app.users.models import Invitation, Mapping, Member
from tests.users.conftest import (
    ADA,
    ISSUER,
    LIMITS,
    ROOT,
    TABLE,
    add_account,
    add_member,
    audited,
    principal,
)

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
directory = members_by_directory("groups", None)


async def invited(database: Database, table: Access, by: Principal, *roles: str) -> str:
    async with database.session() as session:
        return await people.invite(session, table, by, "Bob", roles, HOUR)


async def roles_of(database: Database, account: str, tenant: str = "acme") -> list[str] | None:
    async with database.reader() as session:
        member = await session.get(Member, (tenant, account))
        return member.roles if member else None


async def test_an_invitation_works_once_and_its_secret_is_nowhere(
    database: Database, table: Access
) -> None:
    secret = await invited(database, table, ADA, "agent")
    before = await audited(database)
    async with database.session() as session:
        bob, eve = await add_account(session, "bob"), await add_account(session, "eve")
        await people.join(session, bob, secret)
        await people.join(session, eve, secret)
    assert (await roles_of(database, "bob"), await roles_of(database, "eve")) == (["agent"], None)
    assert await audited(database) == before + 1
    async with database.reader() as session:
        assert (await session.scalars(select(Invitation))).all() == []
        for entry in await session.scalars(select(AuditEntry)):
            assert secret not in f"{entry.before} {entry.after} {entry.target}"


async def test_an_invitation_that_never_was_puts_nothing_into_the_browser(
    client: httpx2.AsyncClient,
) -> None:
    for secret in ("guess", "%F0%9F%98%80"):
        answer = await client.post(f"/join/{secret}", headers={"Sec-Fetch-Site": "same-origin"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (404, False)


async def test_an_invitation_expires_and_can_be_taken_back(
    database: Database, table: Access
) -> None:
    async with database.session() as session:
        late = await people.invite(session, table, ADA, "Bob", ["agent"], timedelta(seconds=-1))
        assert await people.open_invitation(session, late) is None
        secret = await people.invite(session, table, ADA, "Bob", ["agent"], HOUR)
        row = await people.open_invitation(session, secret)
        assert row is not None
        stranger = principal("other", "olu", ["admin"])
        with pytest.raises(AppError, match="No such invitation"):
            await people.withdraw(session, stranger, row.id)
        await people.withdraw(session, ADA, row.id)
        assert await people.open_invitation(session, secret) is None


async def test_nobody_gives_or_takes_more_than_they_have(database: Database, table: Access) -> None:
    olu = Principal("acme", "olu", scopes=table.scopes_of(["operator"]) | {"people:write"})
    async with database.session() as session:
        await add_member(session, "acme", "vic", ["viewer"])
        await map_group(session, table, ADA, ISSUER, "owners", "admin")
    before = await audited(database)
    for refused in (
        lambda session: unmap_group(session, table, olu, ISSUER, "owners", "admin"),
        lambda session: people.invite(session, table, olu, "Eve", ["admin"], HOUR),
        lambda session: people.set_roles(session, table, olu, "vic", ["admin"]),
        lambda session: people.set_roles(session, table, olu, "ada", ["viewer"]),
        lambda session: people.suspend(session, table, olu, "ada", True),
        lambda session: people.remove(session, table, olu, "ada"),
        lambda session: map_group(session, table, olu, ISSUER, "staff", "admin"),
        lambda session: set_client(session, table, olu, ISSUER, "robot", ["admin"]),
    ):
        with pytest.raises(AppError) as error:
            async with database.session() as session:
                await refused(session)
        assert error.value.status == 403
    assert await audited(database) == before
    assert await roles_of(database, "vic") == ["viewer"]


async def test_the_last_one_who_manages_people_stays(database: Database, table: Access) -> None:
    for refused in (
        lambda session: people.set_roles(session, table, ROOT, "ada", ["viewer"]),
        lambda session: people.suspend(session, table, ROOT, "ada", True),
        lambda session: people.remove(session, table, ROOT, "ada"),
    ):
        with pytest.raises(AppError, match="The last one"):
            async with database.session() as session:
                await refused(session)
    async with database.session() as session:
        await add_member(session, "acme", "second", ["admin"])
        await people.remove(session, table, ROOT, "ada")
    assert await roles_of(database, "ada") is None
    async with database.session() as session:
        await map_group(session, table, ROOT, ISSUER, "owners", "admin")
        await people.remove(session, table, ROOT, "second")
    with pytest.raises(AppError, match="The last one"):
        async with database.session() as session:
            await unmap_group(session, table, ROOT, ISSUER, "owners", "admin")


async def test_49_people_are_known_by_issuer_and_subject_never_by_email(
    database: Database,
) -> None:
    async with database.session() as session:
        eve = await add_account(session, "eve")
        eve.email = "ada@example.com"
        claims = {"iss": ISSUER, "sub": "eve", "email": "ada@example.com"}
        assert await directory(session, eve, claims) is None


async def test_groups_give_roles_and_suspended_people_stay_out(
    database: Database, table: Access
) -> None:
    async with database.session() as session:
        await map_group(session, table, ADA, ISSUER, "support", "agent")
        bob = await add_account(session, "bob")
        claims = {"iss": ISSUER, "sub": "bob", "groups": ["support", "other"]}
        found = await directory(session, bob, claims)
        assert found is not None
        assert (found.tenant, found.roles) == ("acme", {"agent"})
        assert await directory(session, bob, claims | {"groups": "support"}) is None
        bob.issuer = "https://elsewhere.example"
        assert await directory(session, bob, claims) is None, "another provider's group"
        bob.issuer = ISSUER
        await add_member(session, "acme", "bob", ["viewer"])
        await people.suspend(session, table, ADA, "bob", True)
        assert await directory(session, bob, claims) is None


async def test_a_program_of_the_provider_is_what_was_said_of_it(
    database: Database, table: Access
) -> None:
    claims = {"iss": ISSUER, "sub": "robot", "client_id": "robot"}
    async with database.session() as session:
        assert await directory(session, None, claims) is None
        await set_client(session, table, ADA, ISSUER, "robot", ["agent"])
        found = await directory(session, None, claims)
        assert found is not None
        assert (found.tenant, found.roles) == ("acme", {"agent"})
        with pytest.raises(AppError, match="Taken"):
            other = Principal("other", "o", scopes=ROOT.scopes)
            await set_client(session, table, other, ISSUER, "robot", ["agent"])
        await suspend_tenant(session, ROOT, True)
        assert await directory(session, None, claims) is None
        await suspend_tenant(session, ROOT, False)
        await set_client(session, table, ADA, ISSUER, "robot", [])
        assert await directory(session, None, claims) is None


async def test_64_who_is_shut_out_leaves_no_way_back(database: Database, table: Access) -> None:
    """Neither a session, nor an invitation that they made for another account of theirs."""
    async with database.session() as session:
        await add_member(session, "acme", "eve", ["admin"])
    eve = principal("acme", "eve", ["admin"])
    for shut_out in (
        lambda session: people.set_roles(session, table, ADA, "eve", ["agent"]),
        lambda session: people.suspend(session, table, ADA, "eve", True),
        lambda session: people.remove(session, table, ADA, "eve"),
    ):
        secret = await invited(database, table, eve, "admin")
        async with database.session() as session:
            await add_session(session, "acme", "eve")
            await shut_out(session)
        async with database.reader() as session:
            assert await people.open_invitation(session, secret) is None
            assert (await session.scalars(select(AppSession))).all() == []


async def test_64_a_tenant_that_is_shut_out_has_no_sessions(database: Database) -> None:
    for change in (
        lambda session: suspend_tenant(session, ROOT, True),
        lambda session: unmap_group(session, TABLE, ROOT, ISSUER, "support", "agent"),
    ):
        async with database.session() as session:
            session.add(Mapping(tenant_id="acme", issuer=ISSUER, group="support", role="agent"))
            await add_session(session, "acme", "ada")
            await add_session(session, "other", "ada")
            await change(session)
        async with database.session() as session:
            left = [row.tenant_id for row in await session.scalars(select(AppSession))]
            assert left == ["other"]
            await session.execute(delete(AppSession))
            await session.execute(delete(Mapping))


async def add_session(session: AsyncSession, tenant: str, name: str) -> None:
    login = Login("urn:app:mfa", utcnow(), "oidc", None, "", None)
    account = await add_account(session, name)
    membership = Membership(tenant, frozenset({"agent"}))
    await begin(session, account, membership, login, browser="", lasts_s=600, old_cookie=None)


@pytest.mark.parametrize(
    ("name", "status"), [("*", 422), ("a/b", 422), ("ACME", 409), ("acme", 409), ("acme2", 0)]
)
async def test_68_a_tenant_by_an_odd_name(database: Database, name: str, status: int) -> None:
    before = await audited(database)

    async def make() -> int:
        try:
            async with database.session() as session:
                await create_tenant(session, LIMITS, Principal(name, "root"), "New", "standard")
        except AppError as refused:
            return refused.status
        return 0

    assert (await make(), await audited(database) - before) == (status, int(not status))


@pytest.mark.parametrize("arguments", [["tenant", "*", "--name", "All"], ["list", "--tenant", "*"]])
def test_68_a_command_for_a_tenant_by_an_odd_name(arguments: list[str]) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert (done.exit_code, "letters, digits" in done.output) == (2, True)
