"""Who a person is here, by what their provider says of them."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import Account
from app.auth.settings import AuthSettings
from app.core.access import Access
from app.core.db import utcnow
from app.core.principal import DEFAULT_TIER
from app.core.problems import AppError
from app.core.tenants import is_tenant
from app.core.text import printable
from app.settings import Settings

PASSWORD_ACR = "urn:app:pwd"  # noqa: S105  a name, not a password
_TIER_LENGTH = 32
PERSON = "person:"


@dataclass(frozen=True, slots=True)
class Membership:
    """What somebody is in a tenant."""

    tenant: str
    roles: frozenset[str]
    tier: str = DEFAULT_TIER


Members = Callable[[AsyncSession, Account | None, Mapping[str, Any]], Awaitable[Membership | None]]
"""Says what an account is, given the provider's claims; None: nothing, they may not enter. A
program has no account."""

Welcome = Callable[[AsyncSession, Account, Mapping[str, str]], Awaitable[None]]
"""Told of a login, with the browser's cookies, before it is asked what the account is."""


def members_by_claims(settings: Settings, auth: AuthSettings) -> Members:
    """Membership as the provider's claims tell it."""

    async def member(
        _session: AsyncSession, _account: Account | None, claims: Mapping[str, Any]
    ) -> Membership | None:
        return membership_of(claims, settings, auth)

    return member


def membership_of(
    claims: Mapping[str, Any], settings: Settings, auth: AuthSettings
) -> Membership | None:
    tenant = claims.get(auth.tenant_claim) if auth.tenant_claim else settings.default_tenant
    # Nobody is put into a tenant because a claim is missing.
    if not isinstance(tenant, str) or not is_tenant(tenant):
        return None
    roles = claims.get(auth.roles_claim, [])
    # Zitadel names them as the keys of an object.
    names = roles if isinstance(roles, (list, dict)) else str(roles).split()
    tier = claims.get(auth.tier_claim) if auth.tier_claim else None
    return Membership(
        tenant,
        frozenset(name for name in names if isinstance(name, str)),
        tier if isinstance(tier, str) and len(tier) <= _TIER_LENGTH else DEFAULT_TIER,
    )


def acr_of(claims: Mapping[str, Any], settings: Settings, auth: AuthSettings) -> str:
    """How somebody signed in: `settings.mfa_acr` after a second factor."""
    methods = claims.get("amr", [])
    given = claims.get("acr")
    if isinstance(given, str) and given in {settings.mfa_acr, *auth.mfa_acr_values}:
        return settings.mfa_acr
    if isinstance(methods, list) and auth.mfa_amr_values.intersection(map(str, methods)):
        return settings.mfa_acr
    return PASSWORD_ACR


def auth_time_of(claims: Mapping[str, Any], leeway_s: int) -> datetime:
    """When somebody signed in; long ago when the provider does not say, or says in the future: such
    a login would stay fresh for as long as that is away.
    """
    moment = claims.get("auth_time")
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        return datetime.fromtimestamp(0, UTC)
    if not 0 < moment <= time.time() + leeway_s:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp(moment, UTC)


async def known_account(session: AsyncSession, issuer: str, subject: str) -> Account | None:
    query = select(Account).where(Account.issuer == issuer, Account.subject == subject)
    return await session.scalar(query)


async def names_of_people(session: AsyncSession, things: Collection[str]) -> dict[str, str]:
    """How people are called that are given as `person:ID`."""
    ids = [thing.removeprefix(PERSON) for thing in things if thing.startswith(PERSON)]
    rows = await session.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))
    return {PERSON + account_id: name for account_id, name in rows}


async def account_of(session: AsyncSession, claims: Mapping[str, Any]) -> Account:
    """Return the account of these claims, made at the first login, its name and email renewed.

    Email is shown and never looked up: whoever changes theirs stays who they are.
    """
    issuer, subject = claims["iss"], claims["sub"]
    account = await known_account(session, issuer, subject)
    name = printable(str(claims.get("name") or claims.get("preferred_username") or ""))[:200]
    if account is None:
        account = await _added_account(session, issuer, subject, name)
    account.name = name or account.id
    account.email = printable(str(claims.get("email") or ""))[:320]
    return account


async def _added_account(session: AsyncSession, issuer: str, subject: str, name: str) -> Account:
    # Readable where it is shown as the one who did something, and never given out twice.
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "person"
    account = Account(
        id=f"{readable}-{secrets.token_hex(4)}",
        issuer=issuer,
        subject=subject,
        name=name,
        email="",
        created_at=utcnow(),
    )
    try:
        async with session.begin_nested():
            session.add(account)
    except IntegrityError:
        # Signed in twice at once, and the other login was faster.
        if (known := await known_account(session, issuer, subject)) is None:
            raise
        return known
    return account


def scopes_granted(claims: Mapping[str, Any], access: Access) -> frozenset[str]:
    """The scopes of an access token that are known here."""
    given = claims.get("scope", claims.get("scp", ""))
    names = given if isinstance(given, list) else str(given).split()
    return frozenset(name for name in names if isinstance(name, str) and name in access.scopes)


class NoMember(AppError):  # noqa: N818  says what happened
    """Who signed in is nobody here."""

    def __init__(self) -> None:
        super().__init__(
            403,
            "You have no access here",
            "You are signed in, but have no role. Ask who manages them.",
        )
