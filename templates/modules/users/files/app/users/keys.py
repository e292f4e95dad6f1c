"""Keys of a tenant for its programs: `Authorization: Bearer key_...`."""

import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.auth.sealing import draw, fingerprint
from app.core.access import Access
from app.core.db import utcnow
from app.core.principal import Authenticator, Principal, not_signed_in
from app.core.problems import AppError
from app.services import Services
from app.users.models import ApiKey
from app.users.rules import held_tenant, require_scopes

PREFIX = "key_"
KEY = "key:"
_USED_EVERY = timedelta(minutes=1)


async def keys(session: AsyncSession, tenant_id: str) -> Sequence[ApiKey]:
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
    return (await session.scalars(query.order_by(ApiKey.name, ApiKey.created_at))).all()


async def names_of_keys(session: AsyncSession, things: Collection[str]) -> dict[str, str]:
    """How keys are called that are given as `key:ID`."""
    ids = [thing.removeprefix(KEY) for thing in things if thing.startswith(KEY)]
    rows = await session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids)))
    return {KEY + key_id: name for key_id, name in rows}


async def create(
    session: AsyncSession,
    access: Access,
    principal: Principal,
    name: str,
    scopes: Collection[str],
    lasts: timedelta,
) -> str:
    """Return a new key. It is shown this once. Raises 403, 404 and 422."""
    if not scopes or not access.scopes.keys() >= set(scopes):
        title = "No such scope" if scopes else "Nothing was chosen"
        raise AppError(422, title, f"Choose of: {', '.join(access.scopes)}.")
    require_scopes(principal, scopes)
    await held_tenant(session, principal.tenant)
    row, secret = _new(principal, name, sorted(set(scopes)), lasts)
    session.add(row)
    await record(session, principal, "key.create", f"key:{row.id}", after=_shown(row))
    return secret


async def rotate(
    session: AsyncSession, principal: Principal, key_id: str, lasts: timedelta, overlap: timedelta
) -> str:
    """Return a new key for an old one, which works for `overlap` still. Raises 403 and 404."""
    old = await _of_tenant(session, principal, key_id)
    require_scopes(principal, old.scopes)
    row, secret = _new(principal, old.name, old.scopes, lasts)
    session.add(row)
    before = _shown(old)
    old.expires_at = min(old.expires_at, utcnow() + overlap)
    after = _shown(row) | {"id": row.id, "old_expires_at": old.expires_at}
    await record(session, principal, "key.rotate", f"key:{old.id}", before=before, after=after)
    return secret


async def revoke(session: AsyncSession, principal: Principal, key_id: str) -> None:
    """End a key at once. Raises 404."""
    row = await _of_tenant(session, principal, key_id)
    await session.delete(row)
    await record(session, principal, "key.revoke", f"key:{row.id}", before=_shown(row))


def by_key(services: Services) -> Authenticator:
    """Recognises keys."""

    async def authenticate(request: Request) -> Principal | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            return None
        key_id = token.removeprefix(PREFIX).partition("_")[0]
        now = utcnow()
        async with services.database.reader() as session:
            row = await session.get(ApiKey, key_id)
        if (
            row is None
            or not hmac.compare_digest(row.hash, fingerprint(token))
            or row.expires_at <= now
            or row.tenant.suspended_at is not None
        ):
            raise not_signed_in("The key is not valid.", challenge='Bearer error="invalid_token"')
        if row.used_at is None or row.used_at < now - _USED_EVERY:
            async with services.database.session() as session:
                if (used := await session.get(ApiKey, key_id)) is not None:
                    used.used_at = now
        # A scope that access.yaml has no more is nobody's.
        scopes = services.access.scopes.keys() & set(row.scopes)
        return Principal(
            row.tenant_id, f"key:{row.id}", scopes=frozenset(scopes), tier=row.tenant.tier
        )

    return authenticate


def _new(
    principal: Principal, name: str, scopes: list[str], lasts: timedelta
) -> tuple[ApiKey, str]:
    key_id, now = secrets.token_hex(8), utcnow()
    secret = f"{PREFIX}{key_id}_{draw()}"
    row = ApiKey(
        id=key_id,
        tenant_id=principal.tenant,
        hash=fingerprint(secret),
        name=name[:100],
        scopes=scopes,
        created_by=principal.subject,
        created_at=now,
        expires_at=now + lasts,
    )
    return row, secret


def _shown(row: ApiKey) -> dict[str, object]:
    return {"name": row.name, "scopes": row.scopes, "expires_at": row.expires_at}


async def _of_tenant(session: AsyncSession, principal: Principal, key_id: str) -> ApiKey:
    row = await session.get(ApiKey, key_id)
    if row is None or row.tenant_id != principal.tenant:
        raise AppError(404, "No such key", "It was revoked, or never was.")
    return row
