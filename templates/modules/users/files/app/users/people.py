"""People of a tenant: invited by a link, given roles, suspended, removed.

Each change is one entry of the audit; a refused one changes and records nothing.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.auth.models import Account
from app.auth.sealing import draw, fingerprint
from app.auth.sessions import end_of_account
from app.core.access import Access
from app.core.db import utcnow
from app.core.principal import Principal
from app.core.problems import AppError
from app.users.models import Invitation, Member
from app.users.rules import governs, held_tenant, known_roles, require_governed, require_within


async def members(session: AsyncSession, tenant_id: str) -> Sequence[Member]:
    query = select(Member).where(Member.tenant_id == tenant_id).order_by(Member.account_id)
    return (await session.scalars(query)).all()


async def invitations(session: AsyncSession, tenant_id: str) -> Sequence[Invitation]:
    """Those that still work."""
    query = select(Invitation).where(
        Invitation.tenant_id == tenant_id, Invitation.expires_at > utcnow()
    )
    return (await session.scalars(query.order_by(Invitation.expires_at))).all()


async def invite(
    session: AsyncSession,
    access: Access,
    principal: Principal,
    label: str,
    roles: Collection[str],
    lasts: timedelta,
) -> str:
    """Return the secret of a link that makes one person a member. It is shown this once.

    `label` says for whom it is; who they are, their login says. Raises 403, 404 and 422.
    """
    wanted = known_roles(access, roles)
    require_within(access, principal, wanted)
    await held_tenant(session, principal.tenant)
    secret = draw()
    row = Invitation(
        id=secrets.token_hex(8),
        tenant_id=principal.tenant,
        hash=fingerprint(secret),
        label=label[:200],
        roles=wanted,
        invited_by=principal.subject,
        expires_at=utcnow() + lasts,
    )
    session.add(row)
    after = {"for": row.label, "roles": wanted, "expires_at": row.expires_at}
    await record(session, principal, "person.invite", f"invitation:{row.id}", after=after)
    return secret


async def open_invitation(session: AsyncSession, secret: str) -> Invitation | None:
    """The invitation of a link, while it works."""
    row = await session.scalar(select(Invitation).where(Invitation.hash == fingerprint(secret)))
    if row is None or row.expires_at <= utcnow() or row.tenant.suspended_at is not None:
        return None
    return row


async def withdraw(session: AsyncSession, principal: Principal, invitation_id: str) -> None:
    """Take an invitation back. Raises 404."""
    row = await session.get(Invitation, invitation_id)
    if row is None or row.tenant_id != principal.tenant:
        raise AppError(404, "No such invitation", "It was used, or taken back.")
    await session.delete(row)
    before = {"for": row.label, "roles": row.roles}
    await record(session, principal, "person.uninvite", f"invitation:{row.id}", before=before)


async def join(session: AsyncSession, account: Account, secret: str) -> None:
    """Make an account a member by an invitation, which then is gone. Without one nothing happens.

    Who is a member already gets the roles in addition. A suspended member stays suspended.
    """
    row = await open_invitation(session, secret)
    if row is None:
        return
    await held_tenant(session, row.tenant_id)
    # Two may come with one link at the same moment.
    mine = delete(Invitation).where(Invitation.id == row.id).returning(Invitation.id)
    if await session.scalar(mine) is None:
        return
    member = await session.get(Member, (row.tenant_id, account.id))
    before = member.roles if member else None
    now = utcnow()
    if member is None:
        member = Member(tenant_id=row.tenant_id, account_id=account.id, roles=[], created_at=now)
        session.add(member)
    member.roles = sorted({*member.roles, *row.roles})
    member.chosen_at = now
    await session.flush()
    await record(
        session,
        Principal(row.tenant_id, account.id),
        "person.join",
        f"person:{account.id}",
        before=before,
        after=member.roles,
        reason=f"invitation {row.id} of {row.invited_by}",
    )


async def _changed(
    session: AsyncSession, access: Access, principal: Principal, account_id: str
) -> Member:
    """The member who is to be changed, the tenant held. Raises 404, and 403 for who has more."""
    await held_tenant(session, principal.tenant)
    member = await session.get(Member, (principal.tenant, account_id))
    if member is None:
        raise AppError(404, "No such person", "Nobody of that name is a member here.")
    require_within(access, principal, member.roles)
    return member


async def _shut_out(session: AsyncSession, member: Member) -> None:
    """End a member's sessions, and the invitations by which they could come back as another."""
    await end_of_account(session, member.account_id)
    theirs = (
        Invitation.tenant_id == member.tenant_id,
        Invitation.invited_by == member.account_id,
    )
    await session.execute(delete(Invitation).where(*theirs))


async def set_roles(
    session: AsyncSession,
    access: Access,
    principal: Principal,
    account_id: str,
    roles: Collection[str],
) -> None:
    """Give a member these roles and no others; they sign in again. Raises 403, 404, 409 and 422."""
    wanted = known_roles(access, roles)
    require_within(access, principal, wanted)
    member = await _changed(session, access, principal, account_id)
    before = member.roles
    if wanted == before:
        return
    member.roles = wanted
    if governs(access, before):
        await require_governed(session, access, member.tenant_id)
    await _shut_out(session, member)
    await record(
        session, principal, "person.roles", f"person:{account_id}", before=before, after=wanted
    )


async def suspend(
    session: AsyncSession, access: Access, principal: Principal, account_id: str, is_out: bool
) -> None:
    """Shut a member out, or let them in again. Raises 403, 404 and 409."""
    member = await _changed(session, access, principal, account_id)
    if (member.suspended_at is not None) == is_out:
        return
    member.suspended_at = utcnow() if is_out else None
    if is_out and governs(access, member.roles):
        await require_governed(session, access, member.tenant_id)
    await _shut_out(session, member)
    action = "person.suspend" if is_out else "person.resume"
    await record(session, principal, action, f"person:{account_id}")


async def remove(
    session: AsyncSession, access: Access, principal: Principal, account_id: str
) -> None:
    """End a membership. Raises 403, 404 and 409."""
    member = await _changed(session, access, principal, account_id)
    await session.delete(member)
    if governs(access, member.roles) and member.suspended_at is None:
        await require_governed(session, access, member.tenant_id)
    await _shut_out(session, member)
    await record(session, principal, "person.remove", f"person:{account_id}", before=member.roles)
