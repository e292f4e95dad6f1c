"""Copies are answered for nobody: the response, its counters and its budget are as without them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.ai.classifier import Classifier
from app.ai.models import BudgetDay
from app.ai.prompts import PromptSet
from app.core.principal import Principal
from app.delivery import shadow
from app.delivery.models import ShadowCopy
from app.delivery.rollout import Shadow
from app.delivery.shadow import Copies
from app.delivery.shadow_report import compare, markdown
from app.jobs.models import Job
from app.main import create_app
from app.services import Services
from app.settings import Settings
from tests.ai.conftest import LOST, FakeClassifier
from tests.fake_openai import Answer, FakeOpenAI
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio
AI = Path("tests/ai").resolve()
ADA = Principal("default", "ada")
MODELS = """
models:
  small: {{kind: classifier}}
  large: {{kind: openai, url: "{url}", name: {name}}}
daily_budget: {{tokens: 100000, cost_usd: 5}}
request_classes:
  draft: {{route: [large], prompt: draft, retrieve: 2}}
  sort: {{route: [small, large], prompt: sort}}
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        server.usual = Answer("Freeze the card in the app [1].")
        yield server


@pytest.fixture
def services(
    tmp_path: Path,
    settings: Settings,
    flags_file: FlagFile,
    endpoint: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> Services:
    """An application that copies all of its requests to a candidate with another model."""
    monkeypatch.setattr(Classifier, "load", lambda _path: FakeClassifier())
    monkeypatch.setenv("ROLLOUT_SHADOW", "next")
    monkeypatch.setenv("AI_KNOWLEDGE_DIR", str(AI / "knowledge"))
    for folder, name in (("now", "big"), ("next", "other")):
        shutil.copytree(AI / "prompts", tmp_path / folder / "prompts")
        text = MODELS.format(url=endpoint.url, name=name)
        (tmp_path / folder / "models.yaml").write_text(text)
        prompts = tmp_path / folder / "prompts"
        (tmp_path / folder / "prompts.lock").write_text(PromptSet.load(prompts).lock())
    candidate = {
        "models": str(tmp_path / "next/models.yaml"),
        "prompts": str(tmp_path / "next/prompts"),
        "threshold": None,
    }
    variants = flags_file.read()["flags"]["release"]["variants"]
    flags_file.alter("release", variants=variants | {"next": candidate}, targeting={})
    monkeypatch.setenv("AI_PROMPTS_DIR", str(tmp_path / "now/prompts"))
    moved = settings.model_copy(update={"models_file": tmp_path / "now/models.yaml"})
    app: FastAPI = create_app(moved)
    endpoint.calls.clear()
    return app.state.services


@pytest.fixture
def copies(services: Services) -> Copies:
    return copying(services)


def copying(services: Services, percent: int = 100, daily: int = 100) -> Copies:
    made = Copies(services.database, "next", Shadow(percent=percent, daily_copies=daily))
    services.gateway.meter.listeners[:] = [made.note]
    return made


async def rows(services: Services, model: Any) -> list[Any]:
    async with services.database.reader() as session:
        return list(await session.scalars(select(model)))


async def answered(services: Services) -> list[ShadowCopy]:
    """Do what a worker does with the queue."""
    for job in await rows(services, Job):
        await shadow.answer(services, **job.arguments)
    return await rows(services, ShadowCopy)


async def test_the_setting_copies_and_without_it_nothing_is(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(services.gateway.meter.listeners) == 1
    monkeypatch.delenv("ROLLOUT_SHADOW")
    without = create_app(services.settings).state.services
    assert without.gateway.meter.listeners == []


async def test_the_candidate_answers_after_the_response_and_for_nobody(
    services: Services, copies: Copies, endpoint: FakeOpenAI
) -> None:
    answer = await services.gateway.complete("draft", LOST, principal=ADA)
    assert answer.model == "big-2026"
    assert [call["model"] for call in endpoint.calls] == ["big"], "no model is asked in the request"
    metrics = services.metrics.render()
    await copies.flush()
    (copy,) = await answered(services)
    assert [call["model"] for call in endpoint.calls] == ["big", "other"]
    assert services.metrics.render() == metrics, "counters of the real ones stay as they are"
    assert copy.shadow is not None
    assert copy.shadow["said"] == copy.real["said"] != ""
    assert copy.asked is None, "what was asked is not kept"


async def test_what_is_kept_for_the_copy_is_masked(services: Services, copies: Copies) -> None:
    await services.gateway.complete("draft", LOST, principal=ADA)
    await copies.flush()
    (copy,) = await rows(services, ShadowCopy)
    assert "ada@example.com" not in str(copy.asked)
    assert "Ada" not in str(copy.asked)
    (job,) = await rows(services, Job)
    assert job.arguments == {"copy_id": copy.id}


async def test_the_job_of_a_copy_is_its_tenants(services: Services, copies: Copies) -> None:
    await services.gateway.classify("sort", "lost card", principal=Principal("north", "anna"))
    await copies.flush()
    (job,) = await rows(services, Job)
    assert job.tenant_id == "north"


async def test_labels_and_confidence_are_compared(services: Services, copies: Copies) -> None:
    await services.gateway.classify("sort", "lost card", principal=ADA)
    await copies.flush()
    (copy,) = await answered(services)
    assert copy.shadow is not None
    assert copy.shadow["said"] == copy.real["said"]
    assert copy.shadow["confidence"] == copy.real["confidence"]


async def test_a_candidate_spends_its_own_budget(
    services: Services, copies: Copies, tmp_path: Path
) -> None:
    models = tmp_path / "next/models.yaml"
    models.write_text(models.read_text().replace("tokens: 100000", "tokens: 1"))
    await services.gateway.complete("draft", LOST, principal=ADA)
    await copies.flush()
    (copy,) = await answered(services)
    assert copy.shadow == {"error": "BudgetExceeded"}
    await services.gateway.complete("draft", {**LOST, "intent": ""}, principal=ADA)


async def test_what_a_candidate_spends_is_nobody_elses(services: Services, copies: Copies) -> None:
    await services.gateway.complete("draft", LOST, principal=ADA)
    spent = await rows(services, BudgetDay)
    await copies.flush()
    await answered(services)
    after = await rows(services, BudgetDay)
    assert {row.tenant_id: row.tokens for row in spent}.items() < {
        row.tenant_id: row.tokens for row in after
    }.items()


async def test_no_more_than_a_share_and_a_number_a_day(services: Services) -> None:
    none = copying(services, percent=0)
    await services.gateway.classify("sort", "lost card", principal=ADA)
    await none.flush()
    assert await rows(services, ShadowCopy) == []
    few = copying(services, daily=2)
    for _ in range(3):
        await services.gateway.classify("sort", "lost card", principal=ADA)
    await few.flush()
    assert len(await rows(services, ShadowCopy)) == 2


async def test_a_database_that_is_away_costs_the_copies_only(
    services: Services, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.gateway.classify("sort", "lost card", principal=ADA)

    def away() -> None:
        raise TimeoutError

    monkeypatch.setattr(services.database, "session", away)
    await copies.flush()
    assert copies._waiting == []


def test_the_report_says_agreement_with_its_interval() -> None:
    real = {"said": "a", "confidence": 0.9, "latency_ms": 10.0, "cost_usd": 0.1, "cached": False}
    other = {**real, "said": "b", "latency_ms": 30.0}
    pairs = [("sort", real, real)] * 90 + [("sort", real, other)] * 8
    (found,) = compare([*pairs, *[("sort", real, {"error": "AppError"})] * 2])
    assert (found.copies, found.errors.value) == (100, 0.02)
    assert found.agreement.value == pytest.approx(90 / 98)
    assert found.agreement.low < found.agreement.value < found.agreement.high
    assert found.real is not None
    assert found.shadow is not None
    assert found.shadow.p95_ms > found.real.p95_ms == 10
    text = markdown("next", [found])
    assert "| sort | 100 | 91.8% (" in text
    assert "10 → 30" in text
