"""Answers kept for a while, per tenant. One process asks once, however many wait for the answer."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from app.core.resilience import Deadline, DeadlineExceeded


def cache_key(
    *,
    tenant: str,
    request_class: str,
    models: tuple[str, ...],
    prompt_sha256: str,
    parameters: Mapping[str, object],
    variables: Mapping[str, object],
) -> str:
    """Hash everything that decides an answer. `variables` are masked: no key has personal data."""
    content = [tenant, request_class, models, prompt_sha256, parameters, variables]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return "ai:" + hashlib.sha256(text.encode()).hexdigest()


class ResponseCache:
    """`url` is mem:// or redis://; with Redis, processes share answers. Entries are plain JSON."""

    def __init__(self, url: str = "mem://") -> None:
        self._url = url
        self._backend: Any = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: str) -> dict[str, Any] | None:
        return await (await self._open()).get(key)

    async def set(self, key: str, value: Mapping[str, Any], ttl_s: int) -> None:
        await (await self._open()).set(key, dict(value), expire=ttl_s)

    @asynccontextmanager
    async def only_one(self, key: str, deadline: Deadline) -> AsyncIterator[None]:
        """Let one caller in at a time. Whoever comes next looks into the cache first.

        A lock and not a shared future: when the first caller is cancelled, the second takes over.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            await asyncio.wait_for(lock.acquire(), deadline.remaining())
        except TimeoutError as error:
            raise DeadlineExceeded("another request for the same answer took too long") from error
        try:
            yield
        finally:
            lock.release()

    async def close(self) -> None:
        if self._backend is not None:
            await self._backend.close()
            self._backend = None

    async def _open(self) -> Any:
        if self._backend is None:
            # Imported late because it is slow, and needed only where a class has cache_ttl_s.
            from cashews.wrapper import Cache

            backend = Cache(name="responses")
            options: dict[str, Any] = (
                {"size": 2_000, "check_interval": 30} if self._url.startswith("mem") else {}
            )
            # JSON, as a pickle in a shared cache would run whatever someone put there.
            backend.setup(self._url, pickle_type="json", **options)
            await backend.init()
            self._backend = backend
        return self._backend
