"""The rules that every change of people and keys keeps."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access import Access
from app.core.principal import Principal
from app.core.problems import AppError
from app.users.models import Mapping, Member, Tenant

# Who has it decides who may do what: a tenant always has one who does.
GOVERNS = "people:write"


async def held_tenant(session: AsyncSession, tenant_id: str) -> Tenant:
    """Return a tenant and hold it, so that changes come one after another. Raises 404."""
    query = select(Tenant).where(Tenant.tenant_id == tenant_id).with_for_update()
    tenant = await session.scalar(query)
    if tenant is None:
        raise AppError(404, "No such tenant", f"There is no tenant {tenant_id}.")
    return tenant


def known_roles(access: Access, roles: Iterable[str]) -> list[str]:
    """Return the roles in order. Raises 422 for none, and for one not in access.yaml."""
    wanted = sorted(set(roles))
    if not wanted or not access.roles.keys() >= set(wanted):
        known = ", ".join(access.roles)
        title = "No such role" if wanted else "No role was chosen"
        raise AppError(422, title, f"Choose one or more of: {known}.")
    return wanted


def is_within(access: Access, principal: Principal, roles: Iterable[str]) -> bool:
    """Whether `principal` may do all that these roles may."""
    return access.scopes_of(roles) <= principal.scopes


def require_within(access: Access, principal: Principal, roles: Iterable[str]) -> None:
    """Raise 403 unless it is so."""
    require_scopes(principal, access.scopes_of(roles))


def require_scopes(principal: Principal, scopes: Iterable[str]) -> None:
    if lacking := frozenset(scopes) - principal.scopes:
        raise AppError(403, "More than you have", f"You lack: {', '.join(sorted(lacking))}.")


def governs(access: Access, roles: Iterable[str]) -> bool:
    return GOVERNS in access.scopes_of(roles)


async def require_governed(session: AsyncSession, access: Access, tenant_id: str) -> None:
    """Raise 409 when, after a change, nobody is left who decides who may do what."""
    await session.flush()
    held = await session.scalars(
        select(Member.roles).where(Member.tenant_id == tenant_id, Member.suspended_at.is_(None))
    )
    mapped = await session.scalars(select(Mapping.role).where(Mapping.tenant_id == tenant_id))
    if not any(governs(access, roles) for roles in [*held, list(mapped)]):
        raise AppError(
            409, "The last one who manages people", "Give the role to somebody else before."
        )
