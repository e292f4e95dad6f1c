"""The caller's address is what proxies of ours have seen, whatever the caller says."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.core.forwarded import ForwardedMiddleware
from app.main import create_app
from app.settings import Settings

PROXY, ADA = "10.0.0.9", "203.0.113.7"


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    client = Request(scope).client
    await PlainTextResponse(client.host if client else "")(scope, receive, send)


@pytest.mark.parametrize(
    ("hops", "said", "address"),
    [
        # Nobody stands in front: nothing of it counts.
        (0, [ADA], PROXY),
        (1, [ADA], ADA),
        (1, ["2001:db8::7"], "2001:db8::7"),
        # What she made up stands left of what the proxy has added, in one line or in another one.
        (1, [f"198.51.100.1, {ADA}"], ADA),
        (1, ["198.51.100.1", ADA], ADA),
        (1, [f"198.51.100.1,,{ADA}"], ADA),
        # The inner one of two has added the address of the outer one.
        (2, [f"198.51.100.1, {ADA}, 192.0.2.2"], ADA),
        # She came past the outer one, so that what it would have said is missing.
        (2, ["192.0.2.2"], PROXY),
        (1, [], PROXY),
        (1, ["unknown"], PROXY),
        (1, [f"{ADA}, "], PROXY),
    ],
)
async def test_73_the_address_is_the_one_that_the_outermost_of_ours_has_seen(
    hops: int, said: list[str], address: str
) -> None:
    transport = httpx2.ASGITransport(ForwardedMiddleware(tell, hops), client=(PROXY, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers=[("X-Forwarded-For", line) for line in said])
    assert answer.text == address


async def remaining(settings: Settings, said: list[str]) -> list[str]:
    """What is left of a public route's limit after each request from the same proxy."""
    transport = httpx2.ASGITransport(create_app(settings), client=(PROXY, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answers = [await client.get("/version", headers={"X-Forwarded-For": it}) for it in said]
    return [answer.headers["ratelimit-remaining"] for answer in answers]


async def test_73_limits_count_by_it(settings: Settings) -> None:
    behind = settings.model_copy(update={"trusted_hops": 1})
    first, again, another = await remaining(behind, [ADA, f"8.8.8.8, {ADA}", "198.51.100.1"])
    assert int(again) == int(first) - 1
    assert another == first
    one, two = await remaining(settings, ["198.51.100.1", "198.51.100.2"])
    assert int(two) == int(one) - 1
