"""What a login is here: memberships, groups of the provider, and programs that it knows."""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Claims
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.auth.accounts import Members, Membership
from app.auth.models import Account
from app.auth.sessions import end_of_tenant
from app.core.access import Access
from app.core.db import utcnow
from app.core.limits import Table
from app.core.principal import Principal
from app.core.problems import AppError
from app.core.tenants import is_tenant
from app.users.models import Client, Mapping, Member, Tenant
from app.users.recent import Recent
from app.users.rules import governs, held_tenant, known_roles, require_governed, require_within

Answer = tuple[Membership | None, bool]
"""What somebody is, and whether any table knows them."""

TENANT = "tenant:"
_NEVER = datetime.min.replace(tzinfo=UTC)


def members_by_directory(
    groups_claim: str, otherwise: Members | None, recent: Recent[Answer] | None = None
) -> Members:
    """Membership as the tables tell it; `otherwise` is asked for who is in none of them.

    With `recent`, as they told it a moment ago.
    """

    async def member(
        session: AsyncSession, account: Account | None, claims: Claims[str, Any]
    ) -> Membership | None:
        groups = frozenset(_groups(claims, groups_claim))

        async def ask() -> Answer:
            if account is None:
                return await _program(session, claims)
            return await _person(session, account, groups)

        key = (account and account.id, claims["iss"], claims["sub"], groups)
        found, is_known = await (recent.get(key, ask) if recent else ask())
        if found is None and not is_known and otherwise is not None:
            return await otherwise(session, account, claims)
        return found

    return member


def _groups(claims: Claims[str, Any], name: str) -> set[str]:
    given = claims.get(name, [])
    return {item for item in given if isinstance(item, str)} if isinstance(given, list) else set()


async def _program(session: AsyncSession, claims: Claims[str, Any]) -> Answer:
    client = await session.get(Client, (claims["iss"], claims["sub"]))
    if client is None:
        return None, False
    if client.tenant.suspended_at is not None:
        return None, True
    return Membership(client.tenant_id, frozenset(client.roles), client.tenant.tier), True


async def _person(session: AsyncSession, account: Account, groups: Collection[str]) -> Answer:
    """What a person is in the tenant chosen last, and whether any table knows them."""
    own = (await session.scalars(select(Member).where(Member.account_id == account.id))).all()
    mapped = (
        await session.scalars(
            select(Mapping).where(Mapping.issuer == account.issuer, Mapping.group.in_(groups))
        )
    ).all()
    roles: dict[str, set[str]] = {}
    tenants: dict[str, Tenant] = {}
    for row, given in [*((m, m.roles) for m in own), *((m, [m.role]) for m in mapped)]:
        tenants[row.tenant_id] = row.tenant
        roles.setdefault(row.tenant_id, set()).update(given)
    # Who is suspended stays out, whatever their groups say.
    closed = {m.tenant_id for m in own if m.suspended_at is not None}
    open_ = [t for t in roles if t not in closed and tenants[t].suspended_at is None]
    if not open_:
        return None, bool(roles)
    chosen = {m.tenant_id: m.chosen_at for m in own}
    tenant = max(open_, key=lambda name: (chosen.get(name, _NEVER), name))
    return Membership(tenant, frozenset(roles[tenant]), tenants[tenant].tier), True


async def tenants_of(session: AsyncSession, account_id: str) -> list[Tenant]:
    """Where a person may work."""
    query = select(Member).where(Member.account_id == account_id, Member.suspended_at.is_(None))
    found = [row.tenant for row in await session.scalars(query)]
    return sorted((t for t in found if t.suspended_at is None), key=lambda t: t.name)


async def names_of_tenants(session: AsyncSession, things: Collection[str]) -> dict[str, str]:
    """How tenants are called that are given as `tenant:ID`."""
    ids = [thing.removeprefix(TENANT) for thing in things if thing.startswith(TENANT)]
    rows = await session.execute(
        select(Tenant.tenant_id, Tenant.name).where(Tenant.tenant_id.in_(ids))
    )
    return {TENANT + tenant_id: name for tenant_id, name in rows}


async def create_tenant(
    session: AsyncSession, limits: Table, principal: Principal, name: str, tier: str
) -> Tenant:
    """Make the tenant of `principal`.

    Raises 409 when it or one that reads the same is there, 422 for a name that cannot be one and
    for an unknown tier.
    """
    _require_tier(limits, tier)
    if not is_tenant(principal.tenant):
        raise AppError(422, "No name of a tenant", "Use letters, digits, '.', '_' and '-'.")
    same = select(Tenant.tenant_id).where(func.lower(Tenant.tenant_id) == principal.tenant.lower())
    if (known := await session.scalar(same)) is not None:
        raise AppError(409, "There already", f"The tenant {known} exists.")
    row = Tenant(tenant_id=principal.tenant, name=name[:200], tier=tier, created_at=utcnow())
    session.add(row)
    await session.flush()
    after = {"name": row.name, "tier": tier}
    await record(session, principal, "tenant.create", f"tenant:{row.tenant_id}", after=after)
    return row


async def set_tier(session: AsyncSession, limits: Table, principal: Principal, tier: str) -> None:
    """Put a tenant on another contract; sessions follow when they are renewed. Raises 404, 422."""
    _require_tier(limits, tier)
    row = await held_tenant(session, principal.tenant)
    if (before := row.tier) != tier:
        row.tier = tier
        target = f"tenant:{row.tenant_id}"
        await record(session, principal, "tenant.tier", target, before=before, after=tier)


async def suspend_tenant(session: AsyncSession, principal: Principal, is_out: bool) -> None:
    """Shut a whole tenant out, or let it in again. Raises 404."""
    row = await held_tenant(session, principal.tenant)
    if (row.suspended_at is not None) != is_out:
        row.suspended_at = utcnow() if is_out else None
        await end_of_tenant(session, row.tenant_id)
        action = "tenant.suspend" if is_out else "tenant.resume"
        await record(session, principal, action, f"tenant:{row.tenant_id}")


async def mappings(session: AsyncSession, tenant_id: str) -> Sequence[Mapping]:
    """Which groups of the provider are which roles here."""
    query = select(Mapping).where(Mapping.tenant_id == tenant_id)
    return (await session.scalars(query.order_by(Mapping.group, Mapping.role))).all()


async def programs(session: AsyncSession, tenant_id: str) -> Sequence[Client]:
    """The programs that the provider knows, and that are something here."""
    query = select(Client).where(Client.tenant_id == tenant_id)
    return (await session.scalars(query.order_by(Client.client_id))).all()


async def map_group(
    session: AsyncSession, access: Access, principal: Principal, issuer: str, group: str, role: str
) -> None:
    """Give a role to all whom the provider puts into a group. Raises 403, 404 and 422."""
    known_roles(access, [role])
    require_within(access, principal, [role])
    await held_tenant(session, principal.tenant)
    key = (principal.tenant, issuer, group, role)
    if await session.get(Mapping, key) is None:
        session.add(Mapping(tenant_id=key[0], issuer=issuer, group=group, role=role))
        after = {"issuer": issuer, "role": role}
        await record(session, principal, "group.map", f"group:{group}", after=after)


async def unmap_group(
    session: AsyncSession, access: Access, principal: Principal, issuer: str, group: str, role: str
) -> None:
    """Take a role from a group. Raises 403, 404, and 409 when nobody is left who manages people."""
    await held_tenant(session, principal.tenant)
    row = await session.get(Mapping, (principal.tenant, issuer, group, role))
    if row is None:
        raise AppError(404, "No such mapping", "It was removed, or never was.")
    require_within(access, principal, [role])
    await session.delete(row)
    if governs(access, [role]):
        await require_governed(session, access, principal.tenant)
    # Who came in by the group is not known here.
    await end_of_tenant(session, principal.tenant)
    before = {"issuer": issuer, "role": role}
    await record(session, principal, "group.unmap", f"group:{group}", before=before)


async def set_client(
    session: AsyncSession,
    access: Access,
    principal: Principal,
    issuer: str,
    client_id: str,
    roles: Collection[str],
) -> None:
    """Say what a program of the provider is here; without roles it is nothing any more.

    Raises 403, 404, 409 when it is another tenant's, and 422.
    """
    wanted = known_roles(access, roles) if roles else []
    require_within(access, principal, wanted)
    await held_tenant(session, principal.tenant)
    row = await session.get(Client, (issuer, client_id))
    if row is not None and row.tenant_id != principal.tenant:
        raise AppError(409, "Taken", "The program belongs elsewhere.")
    before = row.roles if row else []
    require_within(access, principal, before)
    if before == wanted:
        return
    if row is None:
        row = Client(issuer=issuer, client_id=client_id, tenant_id=principal.tenant, roles=wanted)
        session.add(row)
    elif wanted:
        row.roles = wanted
    else:
        await session.delete(row)
    await session.flush()
    await record(
        session, principal, "client.roles", f"client:{client_id}", before=before, after=wanted
    )


def _require_tier(limits: Table, tier: str) -> None:
    if tier not in limits.tiers:
        raise AppError(422, "No such tier", f"limits.yaml has: {', '.join(limits.tiers)}.")
