"""Attacks on what stands around the login. Each test is named after its row of the list."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.core.principal import PrincipalDep
from app.core.problems import ConfigurationError
from app.main import create_app
from app.settings import Settings
from tests.auth.conftest import ISSUER, SITE, Browser
from tests.auth.forge import issuer_key, signed
from tests.fake_openai import FakeOpenAI

pytestmark = pytest.mark.anyio

PRODUCTION = {
    "AUTH_PROVIDER": "oidc",
    "AUTH_DISCOVERY_URL": "https://idp.example/.well-known/openid-configuration",
    "AUTH_PUBLIC_URL": SITE,
    "AUTH_CLIENT_SECRET": "c" * 32,
    "AUTH_SECRET": "s" * 32,
}


def in_production(settings: Settings, monkeypatch: pytest.MonkeyPatch, **changes: str) -> FastAPI:
    for name, value in (PRODUCTION | changes).items():
        monkeypatch.setenv(name, value)
    update = {"environment": "production", "access_token": None}
    return create_app(settings.model_copy(update=update))


async def test_row_52_in_production_nothing_is_told_to_strangers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Browser(in_production(settings, monkeypatch))
    for path, status in (
        ("/docs", 404),
        ("/openapi.json", 404),
        ("/metrics", 401),
        ("/development-issuer/jwks", 404),
        ("/development-issuer/token", 404),
        ("/development-issuer/authorize", 404),
    ):
        assert (await stranger.get(path)).status_code == status
    for origin in ("null", "https://evil.example"):
        sent = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        for answer in (
            await stranger.http.options("/metrics", headers=sent),
            await stranger.get("/healthz", headers=sent),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_PROVIDER", "development"),
        ("AUTH_PUBLIC_URL", "http://app.example"),
        ("AUTH_SECRET", "short"),
        ("AUTH_DISCOVERY_URL", "http://idp.example/.well-known/openid-configuration"),
    ],
)
async def test_row_52_production_does_not_start_half_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=name):
        in_production(settings, monkeypatch, **{name: value})


MODELS = """
models:
  large: {{kind: openai, url: "{url}", name: big}}
request_classes:
  draft: {{route: [large], prompt: draft, retrieve: 2}}
"""


async def test_row_54_a_persons_token_is_not_sent_to_a_model(
    settings: Settings, app: FastAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models = tmp_path / "models.yaml"
    monkeypatch.setenv("AI_PROMPTS_DIR", "tests/ai/prompts")
    monkeypatch.setenv("AI_KNOWLEDGE_DIR", "tests/ai/knowledge")
    with FakeOpenAI() as upstream:
        models.write_text(MODELS.format(url=upstream.url))
        asking = create_app(settings.model_copy(update={"models_file": models}))

        @asking.get("/ask")
        async def ask(principal: PrincipalDep) -> str:
            gateway = asking.state.services.gateway
            variables = {"text": "Hello", "organisation": "Example Bank", "intent": ""}
            return (await gateway.complete("draft", variables, principal=principal)).text

        async with asking.router.lifespan_context(asking):
            token = signed(await issuer_key(asking.state.auth))
            answer = await Browser(asking).get("/ask", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert len(upstream.calls) == 1
        assert token not in str(upstream.calls) + str(upstream.keys)
        assert upstream.keys != [None]


async def test_row_55_attempts_are_limited(
    app: FastAPI, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, int] = {}

    async def count(_self: Any, key: str, _expiry: int) -> int:
        counted[key] = counted.get(key, 0) + 1
        return counted[key]

    monkeypatch.setattr("app.core.limits.ProcessCounters.incr", count)
    address = "/auth/callback/development?state=guess&code=guess"
    form = {"grant_type": "authorization_code", "code": "guess"}
    for attempt in (
        lambda: browser.get(address),
        lambda: browser.http.post(f"{ISSUER}/token", data=form),
        lambda: browser.post(f"{ISSUER}/login", data={"asked": "a=b", "person": "ada"}),
        lambda: browser.get("/login"),
        lambda: browser.get("/metrics", headers={"Authorization": "Bearer a.b.c"}),
    ):
        counted.clear()
        answers = [await attempt() for _ in range(62)]
        assert answers[0].status_code != 429
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0
