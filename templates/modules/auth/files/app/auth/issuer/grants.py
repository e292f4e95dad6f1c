"""What the development issuer grants: sessions, codes, and refresh tokens that are used once."""

import secrets
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import JWKRegistry, Key, RSAKey
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import IssuerGrant, IssuerKey, IssuerSession
from app.auth.provider import challenge
from app.auth.sealing import draw, fingerprint
from app.core.db import utcnow

ALGORITHM = "RS256"
ACCESS_S = 600
_CODE = timedelta(seconds=60)
_REFRESH = timedelta(hours=1)
FAMILY = timedelta(hours=12)


class Denied(Exception):  # noqa: N818  says what happened
    """An error of OAuth; the text is its code."""


async def signing_key(session: AsyncSession) -> Key:
    """The newest key; the first one is made when it is asked for."""
    row = await session.scalar(select(IssuerKey).order_by(IssuerKey.created_at.desc()).limit(1))
    if row is None:
        return await new_key(session)
    return JWKRegistry.import_key(row.jwk)


async def new_key(session: AsyncSession) -> Key:
    """Make a key. From now on it signs; the ones before are still published."""
    key = draw_key()
    found = key.as_dict(private=True)
    session.add(IssuerKey(kid=str(key.kid), jwk=dict(found), created_at=utcnow()))
    await session.flush()
    return key


def draw_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"})


async def public_keys(session: AsyncSession) -> list[dict[str, Any]]:
    rows = await session.scalars(select(IssuerKey).order_by(IssuerKey.created_at.desc()))
    return [dict(JWKRegistry.import_key(row.jwk).as_dict(private=False)) for row in rows]


async def sign(session: AsyncSession, claims: Mapping[str, Any], *, typ: str, lasts_s: int) -> str:
    """Sign claims that are good from now on, for a while."""
    key, now = await signing_key(session), int(time.time())
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": typ}
    times = {"iat": now, "exp": now + lasts_s, "jti": secrets.token_urlsafe(16)}
    return jwt.encode(header, {**times, **claims}, key, algorithms=[ALGORITHM])


async def sign_in(
    session: AsyncSession, person: str, acr: str, old_cookie: str | None
) -> tuple[str, IssuerSession]:
    """Begin a session at the issuer, in place of the browser's old one."""
    if old_cookie:
        old = delete(IssuerSession).where(IssuerSession.hash == fingerprint(old_cookie))
        await session.execute(old)
    cookie = draw()
    row = IssuerSession(
        hash=fingerprint(cookie),
        id=secrets.token_hex(8),
        person=person,
        acr=acr,
        auth_time=utcnow(),
        expires_at=utcnow() + FAMILY,
    )
    session.add(row)
    return cookie, row


async def signed_in(session: AsyncSession, cookie: str | None) -> IssuerSession | None:
    row = await session.get(IssuerSession, fingerprint(cookie)) if cookie else None
    return row if row is not None and row.expires_at > utcnow() else None


async def grant_code(session: AsyncSession, who: IssuerSession, asked: Mapping[str, str]) -> str:
    """Return a code for what a client has asked, and a person allowed."""
    now, secret = utcnow(), draw()
    grant = IssuerGrant(
        id=secrets.token_hex(8),
        session_id=who.id,
        person=who.person,
        acr=who.acr,
        auth_time=who.auth_time,
        scope=asked.get("scope", "")[:500],
        nonce=asked.get("nonce", "")[:256],
        redirect_uri=asked["redirect_uri"],
        challenge=asked["code_challenge"],
        secret_hash=fingerprint(secret),
        is_code=True,
        secret_until=now + _CODE,
        expires_at=now + FAMILY,
    )
    session.add(grant)
    return f"{grant.id}.{secret}"


async def redeem_code(
    session: AsyncSession, code: str, verifier: str, redirect_uri: str
) -> IssuerGrant:
    """Return the grant of a code. Raises Denied; a code that comes again ends what it began."""
    grant = await _presented(session, code, is_code=True)
    if grant.redirect_uri != redirect_uri or not secrets.compare_digest(
        grant.challenge.encode(), challenge(verifier).encode()
    ):
        grant.revoked_at = utcnow()
        raise Denied("invalid_grant")
    return grant


async def redeem_refresh(session: AsyncSession, token: str) -> IssuerGrant:
    """Return the grant of a refresh token. Raises Denied; one that comes again ends its family."""
    return await _presented(session, token, is_code=False)


async def _presented(session: AsyncSession, token: str, *, is_code: bool) -> IssuerGrant:
    name, _, secret = token.partition(".")
    grant = await session.get(IssuerGrant, name, with_for_update=True)
    now = utcnow()
    if grant is None or grant.revoked_at is not None or grant.expires_at <= now:
        raise Denied("invalid_grant")
    is_present = secrets.compare_digest(grant.secret_hash, fingerprint(secret))
    if not is_present or grant.is_code != is_code:
        # It was used before: by a thief, or by the owner after a thief.
        grant.revoked_at = now
        raise Denied("invalid_grant")
    if grant.secret_until <= now:
        raise Denied("invalid_grant")
    return grant


def next_refresh(grant: IssuerGrant) -> str:
    """Return the grant's next refresh token; the code or token before is used up."""
    secret = draw()
    grant.secret_hash = fingerprint(secret)
    grant.is_code = False
    grant.secret_until = min(utcnow() + _REFRESH, grant.expires_at)
    return f"{grant.id}.{secret}"


async def sign_out(session: AsyncSession, session_id: str) -> str | None:
    """End a session and all that was granted in it; return whose it was."""
    row = await session.scalar(select(IssuerSession).where(IssuerSession.id == session_id))
    await session.execute(
        update(IssuerGrant)
        .where(IssuerGrant.session_id == session_id, IssuerGrant.revoked_at.is_(None))
        .values(revoked_at=utcnow())
    )
    if row is None:
        return None
    await session.delete(row)
    return row.person
