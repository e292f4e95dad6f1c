"""Attacks by way of the issuer's keys. Each test is named after its row of the list."""

import asyncio
import time

import httpx2
import pytest
from joserfc.jwk import RSAKey

from app.auth.keys import FetchFailed, KeyCache
from app.auth.tokens import TokenRefused
from tests.auth.forge import Lying

pytestmark = pytest.mark.anyio


async def test_row_23_a_flood_of_unknown_keys() -> None:
    lying = Lying()
    await lying.provider.keys.find("k1")

    async def ask(number: int) -> None:
        with pytest.raises(TokenRefused):
            await lying.provider.keys.find(f"unknown-{number}")

    await asyncio.gather(*(ask(number) for number in range(500)))
    assert lying.asked.count("/jwks") == 1
    clock = _Clock()
    cache = KeyCache(lying.provider.fetch_keys, 30, clock)
    lying.asked.clear()
    for _ in range(3):
        await asyncio.gather(*(_unknown(cache) for _ in range(50)))
        clock.now += 31
    assert lying.asked.count("/jwks") == 3


async def _unknown(cache: KeyCache) -> None:
    with pytest.raises(TokenRefused):
        await cache.find("unknown")


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_row_24_a_new_key_is_taken_at_once_and_an_old_one_until_it_is_removed() -> None:
    lying, clock = Lying(), _Clock()
    cache = KeyCache(lying.provider.fetch_keys, 30, clock)
    await cache.find("k1")
    clock.now += 31
    new = RSAKey.generate_key(2048, {"kid": "k2", "alg": "RS256"})
    both = [key.as_dict(private=False) for key in (lying.key, new)]
    lying.keys = {"keys": both}
    assert (await cache.find("k2")).kid == "k2"
    assert (await cache.find("k1")).kid == "k1"
    assert lying.asked.count("/jwks") == 2
    lying.keys = {"keys": both[1:]}
    clock.now += 301
    with pytest.raises(TokenRefused):
        await cache.find("k1")


FAILURES = {
    "500": httpx2.Response(500, json={"error": "down"}),
    "html": httpx2.Response(200, html="<html>Sign in to the wifi</html>"),
    "50 MB": httpx2.Response(200, content=b" " * 50_000_000),
    "list": httpx2.Response(200, json=["a"]),
    "redirect": httpx2.Response(302, headers={"location": "https://evil.example/jwks"}),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_row_25_keys_that_cannot_be_fetched(failure: str) -> None:
    lying, clock = Lying(), _Clock()
    cache = KeyCache(lying.provider.fetch_keys, 30, clock)
    await cache.find("k1")
    clock.now += 10_000
    lying.answers["/jwks"] = FAILURES[failure]
    assert (await cache.find("k1")).kid == "k1"
    with pytest.raises(TokenRefused):
        await cache.find("k2")
    with pytest.raises(FetchFailed):
        await lying.provider.fetch_keys()


async def test_row_25_keys_that_take_forever() -> None:
    async def slow(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(30)
        raise AssertionError

    lying = Lying(timeout_s=0.2)
    await lying.provider.metadata()
    lying.provider._transport = httpx2.MockTransport(slow)
    begun = time.perf_counter()
    with pytest.raises(TokenRefused):
        await lying.provider.keys.find("k1")
    assert time.perf_counter() - begun < 1
