"""A tenant with people in it."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.models import AuditEntry
from app.auth.models import Account
from app.core import access, limits
from app.core.access import Access
from app.core.db import Database, utcnow
from app.core.principal import Principal
from app.users.directory import create_tenant
from app.users.models import Member, Tenant
from tests.conftest import tester

TABLE = access.load(Path("access.yaml"))
LIMITS = limits.load(Path("limits.yaml"))
ISSUER = "https://login.example.com"


def principal(tenant: str, name: str, roles: Iterable[str]) -> Principal:
    return Principal(tenant, name, frozenset(roles), TABLE.scopes_of(roles))


ROOT = Principal("acme", "root", scopes=frozenset(TABLE.scopes))
ADA = principal("acme", "ada", ["admin"])


@pytest.fixture
def table() -> Access:
    return TABLE


@pytest.fixture
async def database(database: Database) -> Database:
    """The tenants acme, with the admin ada, and other."""
    async with database.session() as session:
        for name in ("acme", "other"):
            root = Principal(name, "root", scopes=ROOT.scopes)
            await create_tenant(session, LIMITS, root, name.title(), "standard")
        await add_member(session, "acme", "ada", ["admin"])
    return database


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> str:
    """The tenant of the tests' client, who has just given a second factor."""
    app.state.services.authenticators.insert(0, tester)
    async with database.session() as session:
        session.add(
            Tenant(
                tenant_id="default",
                name="Acme Bank",
                tier="standard",
                created_at=utcnow(),
            )
        )
    return "default"


async def add_member(session: AsyncSession, tenant: str, name: str, roles: list[str]) -> Account:
    account = await add_account(session, name)
    now = utcnow()
    session.add(
        Member(tenant_id=tenant, account_id=name, roles=roles, chosen_at=now, created_at=now)
    )
    await session.flush()
    return account


async def add_account(session: AsyncSession, name: str) -> Account:
    account = await session.get(Account, name)
    if account is None:
        account = Account(
            id=name, issuer=ISSUER, subject=name, name=name, email="", created_at=utcnow()
        )
        session.add(account)
        await session.flush()
    return account


async def audited(database: Database) -> int:
    async with database.reader() as session:
        return await session.scalar(select(func.count()).select_from(AuditEntry)) or 0


async def actions(database: Database) -> list[str]:
    async with database.reader() as session:
        return list(await session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))
