"""Sessions of people in the database. The cookie's value is known to the browser alone."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.accounts import Membership
from app.auth.models import Account, AppSession
from app.auth.sealing import draw, fingerprint
from app.core.db import utcnow

# The prefix makes browsers refuse it from another host, another path, or without TLS.
COOKIE = "__Host-session"
_SEEN_EVERY = timedelta(seconds=60)
_REFRESH_TAKES = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Login:
    """What a login has proven, and what is kept of it."""

    acr: str
    auth_time: datetime
    provider: str
    provider_session: str | None
    tokens: str
    fresh_until: datetime | None


async def begin(
    session: AsyncSession,
    account: Account,
    membership: Membership,
    login: Login,
    *,
    browser: str,
    lasts_s: int,
    old_cookie: str | None,
) -> tuple[str, AppSession]:
    """Begin a session and return its cookie. Whatever session the browser had, ends."""
    await end_by_cookie(session, old_cookie)
    cookie, now = draw(), utcnow()
    row = AppSession(
        hash=fingerprint(cookie),
        id=secrets.token_hex(8),
        tenant_id=membership.tenant,
        account=account,
        roles=sorted(membership.roles),
        tier=membership.tier,
        acr=login.acr,
        auth_time=login.auth_time,
        provider=login.provider,
        provider_session=login.provider_session,
        tokens=login.tokens,
        fresh_until=login.fresh_until,
        browser=browser[:200],
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(seconds=lasts_s),
    )
    session.add(row)
    await session.flush()
    return cookie, row


async def find(session: AsyncSession, cookie: str, idle_s: int) -> AppSession | None:
    """Return the session of a cookie, unless it has ended or nobody has used it for `idle_s`."""
    row = await session.get(AppSession, fingerprint(cookie))
    now = utcnow()
    if row is None or row.expires_at <= now or row.seen_at <= now - timedelta(seconds=idle_s):
        return None
    return row


def is_to_be_renewed(row: AppSession) -> bool:
    """Whether the provider is to be asked again, and nobody is asking it.

    Looked at before `claim_refresh`, which takes a turn of all writers: a provider that is away
    would have every request wait for one.
    """
    now = utcnow()
    is_asked = row.refreshing_until is not None and row.refreshing_until >= now
    return row.fresh_until is not None and row.fresh_until < now and not is_asked


def is_to_be_noted(row: AppSession) -> bool:
    """Whether it is time to note again that the session is in use."""
    return row.seen_at <= utcnow() - _SEEN_EVERY


async def note(session: AsyncSession, row: AppSession) -> None:
    statement = update(AppSession).where(AppSession.hash == row.hash)
    await session.execute(statement.values(seen_at=utcnow()))


async def claim_refresh(session: AsyncSession, row: AppSession) -> bool:
    """Whether we are the one who asks the provider again: of many requests, only one may."""
    now = utcnow()
    claimed = await session.scalar(
        update(AppSession)
        .where(
            AppSession.hash == row.hash,
            AppSession.fresh_until < now,
            or_(AppSession.refreshing_until.is_(None), AppSession.refreshing_until < now),
        )
        .values(refreshing_until=now + _REFRESH_TAKES)
        .returning(AppSession.hash)
    )
    return claimed is not None


async def of_account(session: AsyncSession, account_id: str) -> list[AppSession]:
    """The sessions of a person, the last used first."""
    query = select(AppSession).where(
        AppSession.account_id == account_id, AppSession.expires_at > utcnow()
    )
    return list(await session.scalars(query.order_by(AppSession.seen_at.desc())))


async def end_by_cookie(session: AsyncSession, cookie: str | None) -> None:
    if cookie:
        await session.execute(delete(AppSession).where(AppSession.hash == fingerprint(cookie)))


async def end_one(session: AsyncSession, account_id: str, session_id: str) -> bool:
    """End a session of this person; False when they have no such one."""
    theirs = (AppSession.id == session_id, AppSession.account_id == account_id)
    ended = await session.scalar(delete(AppSession).where(*theirs).returning(AppSession.id))
    return ended is not None


async def end_of_account(session: AsyncSession, account_id: str) -> None:
    """End every session of a person: call it when their roles change."""
    await session.execute(delete(AppSession).where(AppSession.account_id == account_id))


async def end_of_tenant(session: AsyncSession, tenant_id: str) -> None:
    """End every session in a tenant: call it when everybody's way in changes."""
    await session.execute(delete(AppSession).where(AppSession.tenant_id == tenant_id))


async def end_at_provider(
    session: AsyncSession, provider: str, issuer: str, sid: str | None, subject: str | None
) -> None:
    """End what the provider says has ended: its session `sid`, or all of `subject`."""
    condition = AppSession.provider_session == sid
    if sid is None:
        accounts = select(Account.id).where(Account.issuer == issuer, Account.subject == subject)
        condition = AppSession.account_id.in_(accounts)
    await session.execute(delete(AppSession).where(AppSession.provider == provider, condition))
