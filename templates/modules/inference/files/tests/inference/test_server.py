"""POST /classify, health, the key, and what is refused."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from pydantic import ValidationError

from app.ai.classifier import Classifier, ModelFileError
from app.inference.commands import cli
from app.inference.server import create_server
from app.inference.settings import ServerSettings
from tests.inference.conftest import ALL, KEY, until_it_says

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
    ):
        yield client


@pytest.fixture
async def client(server_settings: ServerSettings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(create_server(server_settings)) as client:
        await until_it_says(client, 'status":"ready')
        yield client


async def test_answers_are_those_of_the_model(
    client: httpx2.AsyncClient, classifier: Classifier
) -> None:
    many = (await client.post("/classify", json={"texts": ALL})).json()
    assert many["model"] == classifier.sha256
    for text, batched in zip(ALL, many["predictions"], strict=True):
        one = (await client.post("/classify", json={"text": text})).json()
        expected = classifier.predict(text)
        assert (one["label"], one["confidence"], one["escalate"]) == (
            expected.label,
            expected.confidence,
            expected.escalate,
        )
        assert one == {**batched, "model": classifier.sha256}


async def test_it_is_not_ready_until_the_model_has_answered(
    server_settings: ServerSettings,
) -> None:
    may_load = threading.Event()

    def slow(path: Path) -> Classifier:
        assert may_load.wait(10)
        return Classifier.load(path)

    async with serving(create_server(server_settings, slow)) as client:
        assert (await client.get("/healthz")).status_code == 200
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.json()["reasons"]) == (
            503,
            {"model": "the model is being loaded"},
        )
        refused = await client.post("/classify", json={"text": "hello"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        may_load.set()
        await until_it_says(client, 'status":"ready')
        assert (await client.post("/classify", json={"text": "hello"})).status_code == 200


async def test_a_model_that_cannot_be_read_is_named(server_settings: ServerSettings) -> None:
    def damaged(path: Path) -> Classifier:
        raise ModelFileError(f"{path} is damaged")

    async with serving(create_server(server_settings, damaged)) as client:
        await until_it_says(client, "damaged")


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}", "Bearer", KEY])
async def test_without_the_key_nothing_is_answered(
    client: httpx2.AsyncClient, header: str | None
) -> None:
    headers = {"Authorization": header or ""}
    for path in ("/classify", "/v1/chat/completions"):
        assert (await client.post(path, json={}, headers=headers)).status_code == 401
    for path in ("/v1/models", "/metrics"):
        assert (await client.get(path, headers=headers)).status_code == 401
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"text": 1}, {"texts": []}, {"texts": ["a"] * 257}, {"text": "a", "extra": 1}]
)
async def test_a_wrong_body_is_refused(client: httpx2.AsyncClient, body: dict) -> None:
    assert (await client.post("/classify", json=body)).status_code == 422


async def test_a_large_body_is_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/classify", json={"text": "a" * 10_000})).status_code == 413


async def test_predictions_are_counted(client: httpx2.AsyncClient) -> None:
    await client.post("/classify", json={"texts": ["zzz", "qqq"]})
    lines = (await client.get("/metrics")).text.splitlines()
    assert 'inference_predictions_total{outcome="unsure"} 2.0' in lines


async def test_production_asks_for_a_key_and_for_no_other_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ACCESS_TOKEN", "INFERENCE_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValidationError, match="INFERENCE_KEY of 32 characters"):
        ServerSettings(_env_file=None, environment="production")
    settings = ServerSettings(_env_file=None, environment="production", inference_key=KEY)
    assert settings.access_token is None


async def test_the_command_names_a_missing_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "none.npz"))
    done = CliRunner().invoke(cli, ["serve"])
    assert done.exit_code == 1
    assert "app model train" in done.output


async def test_metrics_tell_of_requests(client: httpx2.AsyncClient) -> None:
    await client.post("/classify", json={"text": ALL[0]})
    shown = (await client.get("/metrics")).text
    assert 'http_requests_total{method="POST",route="/classify",status="200"} 1.0' in shown
