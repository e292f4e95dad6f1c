"""Outgoing HTTP goes where it may, and nobody calls out any other way."""

import re
from pathlib import Path

import httpx2
import pytest

from app.ai.model import Message, ModelError, ModelRequest
from app.ai.openai_model import OpenAIModel
from app.core.egress import Egress, HostRefused
from app.core.resilience import Deadline
from tests.fake_openai import Answer, FakeOpenAI

REQUEST = ModelRequest("big", (Message("user", "hello"),), max_tokens=10)
# A client that nobody asks. A command calls as the person at the keyboard, and may.
OWN_CLIENT = re.compile(
    r"\b(?:AsyncClient|ClientSession|urlopen)\(|"
    r"\bhttpx2\.(?:Client|delete|get|head|patch|post|put|request|stream)\(|"
    r"\b(?:import|from) (?:aiohttp|httpx|requests)\b"
)
CALLERS = sorted(
    path for path in Path("app").rglob("*.py") if path.name not in {"egress.py", "commands.py"}
)


def only(host: str) -> Egress:
    egress = Egress()
    egress.allows = lambda asked: asked == host
    return egress


def to(location: str) -> httpx2.MockTransport:
    return httpx2.MockTransport(lambda _: httpx2.Response(307, headers={"location": location}))


async def test_another_host_is_refused_before_anything_is_sent(endpoint: FakeOpenAI) -> None:
    model = OpenAIModel("big", endpoint.url, None, "max_tokens", only("elsewhere.example.com"))
    with pytest.raises(ModelError, match=r"127\.0\.0\.1 is not on the list") as caught:
        await model.complete(REQUEST, Deadline.after(5))
    assert not caught.value.retryable
    assert endpoint.calls == []
    await model.close()


async def test_a_listed_host_is_called(endpoint: FakeOpenAI) -> None:
    endpoint.usual = Answer("Hello")
    model = OpenAIModel("big", endpoint.url, None, "max_tokens", only("127.0.0.1"))
    assert (await model.complete(REQUEST, Deadline.after(5))).text == "Hello"
    await model.close()


async def test_a_redirect_does_not_lead_elsewhere() -> None:
    egress = only("one.example.com")
    transport = to("http://169.254.169.254/latest")
    async with egress.client(transport=transport, follow_redirects=True) as client:
        with pytest.raises(HostRefused, match=r"169\.254\.169\.254"):
            await client.get("http://one.example.com/")


def test_nobody_makes_a_client_that_does_not_ask() -> None:
    found = {str(path): OWN_CLIENT.findall(path.read_text(encoding="utf-8")) for path in CALLERS}
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_the_check_sees_what_it_is_for() -> None:
    assert OWN_CLIENT.search("async with httpx2.AsyncClient() as client:")
    assert OWN_CLIENT.search("httpx2.post(url)")
    assert OWN_CLIENT.search("    import requests")
    assert not OWN_CLIENT.search("services.egress.client()")
