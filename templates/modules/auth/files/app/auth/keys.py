"""The keys of an issuer: fetched when one is unknown, but not for everybody who claims so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from app.auth.tokens import TokenRefused, is_usable

log = structlog.get_logger("app.auth")

_KEPT_S = 300.0


class FetchFailed(Exception):  # noqa: N818  says what happened
    """The provider did not answer, or not with what its specification says."""


class KeyUnknown(TokenRefused):
    """The issuer has no key of that id, or none that could be fetched yet."""


class KeyCache:
    """Keys by their id. One fetch at a time, and one in `cooldown_s` at most.

    While the issuer cannot be reached, the keys that are known go on serving.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, Any]]],
        cooldown_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> Key:
        """Return the key. Raises KeyUnknown when the issuer has none of that id."""
        if kid not in self._keys or self._clock() - self._fetched > _KEPT_S:
            async with self._fetching:
                # Those who waited look at what the first one of them found.
                if self._clock() - self._tried >= self._cooldown_s:
                    await self._refresh()
        if (key := self._keys.get(kid)) is None:
            raise KeyUnknown("its key is unknown")
        return key

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            document = await self._fetch()
        except FetchFailed as error:
            log.warning("keys_not_fetched", reason=str(error))
            return
        self._keys = dict(usable(document))
        self._fetched = self._clock()


def usable(document: Mapping[str, Any]) -> Iterator[tuple[str, Key]]:
    """Yield the keys of a JWKS by which tokens may be signed, each with its id."""
    items = document.get("keys")
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict) or item.get("kty") == "oct":
            continue
        try:
            key = JWKRegistry.import_key(
                {k: v for k, v in item.items() if isinstance(v, (str, list))}
            )
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        kid = item.get("kid")
        if isinstance(kid, str) and is_usable(key):
            yield kid, key
