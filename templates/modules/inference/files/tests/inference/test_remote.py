"""The application with INFERENCE_URL: the same answers, and its own model when the server fails."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.ai.classifier import Classifier, Prediction
from app.core.egress import Egress
from app.core.metrics import Metrics
from app.core.principal import Principal
from app.core.resilience import Deadline
from app.inference.remote import RemoteModel
from app.inference.settings import InferenceSettings
from app.main import create_app
from app.settings import Settings
from tests.inference.conftest import ALL, KEY

pytestmark = pytest.mark.anyio
ANNA = Principal("north", "anna")


class Counting:
    """The model of this process, counting how often it answers."""

    def __init__(self, model: Classifier, sha256: str | None = None) -> None:
        self.sha256 = sha256 or model.sha256
        self.answered = 0
        self._model = model

    def predict(self, text: str) -> Prediction:
        self.answered += 1
        return self._model.predict(text)


def remote(url: str, local: Counting, metrics: Metrics | None = None, **settings) -> RemoteModel:
    asked = InferenceSettings(
        _env_file=None, url=url, key=SecretStr(KEY), **{"timeout_s": 5.0, **settings}
    )
    return RemoteModel(asked, lambda: local, metrics or Metrics(), Egress())  # pyrefly: ignore


async def test_the_server_answers_as_the_model_here(server: str, classifier: Classifier) -> None:
    local = Counting(classifier)
    model = remote(server, local)
    async with model.running():
        for text in ALL:
            assert await model.predict(text, Deadline.after(5)) == classifier.predict(text)
    assert local.answered == 0


async def test_an_answer_of_another_model_does_not_count(
    server: str, classifier: Classifier
) -> None:
    local = Counting(classifier, sha256="0" * 64)
    model = remote(server, local)
    async with model.running():
        await model.predict("where is my card", None)
    assert local.answered == 1


async def test_a_wrong_key_a_closed_port_and_a_lack_of_time_are_no_failure_of_the_caller(
    server: str, classifier: Classifier
) -> None:
    for url, settings, deadline in (
        (server, {"key": SecretStr("wrong")}, None),
        ("http://127.0.0.1:9", {}, None),
        (server, {}, Deadline(time.monotonic() - 1)),
    ):
        local, metrics = Counting(classifier), Metrics()
        model = RemoteModel(
            InferenceSettings(_env_file=None, url=url, timeout_s=5.0, **settings),
            lambda local=local: local,  # pyrefly: ignore
            metrics,
            Egress(),
        )
        async with model.running():
            assert await model.predict("refund please", deadline) == classifier.predict(
                "refund please"
            )
        assert local.answered == 1
        assert b"inference_fallbacks_total{" in metrics.render()


async def test_a_server_that_is_down_is_left_alone(classifier: Classifier) -> None:
    local, metrics = Counting(classifier), Metrics()
    model = remote("http://127.0.0.1:9", local, metrics)
    async with model.running():
        for _ in range(7):
            await model.predict("refund please", None)
    assert local.answered == 7
    assert b'{reason="RemoteError"} 5.0' in metrics.render()
    assert b'{reason="CircuitOpen"} 2.0' in metrics.render()


async def test_the_application_asks_by_its_setting(
    server: str, settings: Settings, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.model_copy(update={"model_path": model_path})
    text = "where is my card"
    inside = await create_app(settings).state.services.gateway.predict(text, None)

    monkeypatch.setenv("INFERENCE_URL", server)
    monkeypatch.setenv("INFERENCE_KEY", KEY)
    app = create_app(settings)
    gateway = app.state.services.gateway
    local = Counting(gateway.classifier)
    vars(gateway)["classifier"] = local
    async with app.router.lifespan_context(app):
        assert await gateway.predict(text, None) == inside
    assert local.answered == 0
