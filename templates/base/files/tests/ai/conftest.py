"""A gateway over a fake endpoint, with prompts, articles and request classes of its own."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.ai.budget import DailyBudget
from app.ai.cache import ResponseCache
from app.ai.classifier import Prediction
from app.ai.gateway import Completion, Gateway
from app.ai.local_writer import LocalWriter
from app.ai.meter import Meter
from app.ai.openai_model import OpenAIModel
from app.ai.prompts import PromptSet
from app.ai.retrieval import KnowledgeBase
from app.ai.router import ModelsFile
from app.core.db import Database
from app.core.egress import Egress
from app.core.metrics import Metrics
from app.core.principal import Principal
from tests.fake_openai import Answer, FakeOpenAI

HERE = Path(__file__).parent
ANNA = Principal("north", "anna")
BERT = Principal("south", "bert")

MODELS: dict[str, Any] = {
    "small": {"kind": "classifier"},
    "large": {"kind": "openai", "price_per_million_usd": {"input": 1.0, "output": 2.0}},
    "spare": {"kind": "openai"},
    "local": {"kind": "extractive"},
}
CLASSES: dict[str, Any] = {
    "sort": {"route": ["small", "large", "spare"], "prompt": "sort", "attempts": 1},
    "draft": {"route": ["large", "local"], "prompt": "draft", "attempts": 1, "retrieve": 2},
}


class FakeClassifier:
    """Sure of everything but a text with "unsure" in it."""

    labels = ("card_lost", "refund")
    sha256 = "0" * 64

    def __init__(self) -> None:
        self.seen: list[str] = []

    def predict(self, text: str) -> Prediction:
        self.seen.append(text)
        unsure = "unsure" in text
        return Prediction("card_lost", 0.4 if unsure else 0.99, escalate=unsure)


@pytest.fixture(scope="session")
def server() -> Iterator[FakeOpenAI]:
    import openai  # noqa: F401  takes a second, which no test's deadline should pay

    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def endpoint(server: FakeOpenAI) -> FakeOpenAI:
    """The server, with nothing left over from the test before."""
    server.reset()
    return server


@pytest.fixture
def knowledge(tmp_path: Path) -> KnowledgeBase:
    shutil.copytree(HERE / "knowledge", tmp_path / "knowledge")
    return KnowledgeBase(tmp_path / "knowledge")


@pytest.fixture
def prompts() -> PromptSet:
    return PromptSet.load(HERE / "prompts")


@pytest.fixture
def classifier() -> FakeClassifier:
    return FakeClassifier()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


Make = Callable[..., Gateway]


@pytest.fixture
async def make_gateway(
    endpoint: FakeOpenAI,
    knowledge: KnowledgeBase,
    prompts: PromptSet,
    classifier: FakeClassifier,
    database: Database,
    metrics: Metrics,
) -> AsyncIterator[Make]:
    """Return a maker; further keywords change both request classes."""
    made: list[Gateway] = []

    def make(
        *,
        models: tuple[str, ...] = ("large", "local"),
        budget: dict[str, Any] | None = None,
        **spec,
    ) -> Gateway:
        classes = {name: {**options, **spec} for name, options in CLASSES.items()}
        config = ModelsFile.model_validate(
            {"models": MODELS, "request_classes": classes, "daily_budget": budget or {}}
        )
        egress = Egress()
        available = {
            "large": OpenAIModel("big", endpoint.url, "secret-key", "max_tokens", egress),
            "spare": OpenAIModel("spare", endpoint.url, None, "max_completion_tokens", egress),
            "local": LocalWriter(),
        }
        gateway = Gateway(
            config,
            models={name: available[name] for name in models},
            classifier=lambda: classifier,  # type: ignore
            prompts=prompts,
            knowledge=knowledge,
            cache=ResponseCache(),
            budget=DailyBudget(
                database, tokens=config.daily_budget.tokens, cost_usd=config.daily_budget.cost_usd
            ),
            meter=Meter(metrics),
            egress=egress,
        )
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        async with gateway.running():
            pass


LOST: dict[str, str] = {
    "text": "My name is Ada King, ada@example.com: I lost card 4111 1111 1111 1111.",
    "organisation": "Example Bank",
    "intent": "card_lost",
}
DRAFT = Answer("Hello [NAME_1], freeze the card in the app [1].")


async def read(stream: AsyncIterator[str | Completion]) -> tuple[list[str], Completion]:
    pieces: list[str] = []
    async for piece in stream:
        if isinstance(piece, Completion):
            return pieces, piece
        pieces.append(piece)
    raise AssertionError("the stream ended without a completion")


def sent(endpoint: FakeOpenAI) -> str:
    return json.dumps(endpoint.calls)
