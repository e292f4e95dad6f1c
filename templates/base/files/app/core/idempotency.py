"""Idempotency keys: a write that is sent twice happens once."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import Delete, delete

from app.core.db import SessionDep, utcnow
from app.core.models import IdempotencyRecord
from app.core.principal import PrincipalDep
from app.core.problems import AppError

KEPT = timedelta(hours=24)

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="Repeat a request with the same key to get the first answer again",
    ),
]


class Idempotency:
    """Runs a write once per key, inside the request's transaction: both commit or neither does."""

    def __init__(
        self, session: SessionDep, principal: PrincipalDep, request: Request, key: KeyHeader = None
    ) -> None:
        self._session = session
        self._tenant = principal.tenant
        self._request = request
        self._key = key

    async def once(self, status: int, create: Callable[[], Awaitable[BaseModel]]) -> Response:
        """Return the answer of `create`, or the stored one when this key was seen before.

        Raises 422 when the key was used for another request.
        """
        if self._key is None:
            return _respond(status, (await create()).model_dump_json())
        digest = await self._digest()
        identity = (self._tenant, self._request.url.path, self._key)
        stored = await self._session.get(IdempotencyRecord, identity)
        if stored is None:
            body = (await create()).model_dump_json()
            self._session.add(
                IdempotencyRecord(
                    tenant_id=self._tenant,
                    path=self._request.url.path,
                    key=self._key,
                    request_digest=digest,
                    status=status,
                    body=body,
                    created_at=utcnow(),
                )
            )
            return _respond(status, body)
        if stored.request_digest != digest:
            raise AppError(
                422,
                "Idempotency key was used before",
                "The same key came with another body. Use a new key for a new request.",
            )
        return _respond(stored.status, stored.body, replayed=True)

    async def _digest(self) -> str:
        return hashlib.sha256(await self._request.body()).hexdigest()


def outdated(now: datetime) -> Delete:
    """Answers that nobody will ask for again."""
    return delete(IdempotencyRecord).where(IdempotencyRecord.created_at < now - KEPT)


def _respond(status: int, body: str, *, replayed: bool = False) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(body, status, headers, media_type="application/json")


IdempotencyDep = Annotated[Idempotency, Depends()]
