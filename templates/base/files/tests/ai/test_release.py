"""Which release answers: chosen for each request, with prompts and models of its own."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.ai.build import load_release
from app.ai.gateway import Gateway
from app.core.principal import Principal
from app.core.problems import AppError
from tests.ai.conftest import ANNA, BERT, DRAFT, HERE, LOST, Make
from tests.fake_openai import Answer, FakeOpenAI

UNSURE = "unsure what happened to my card"
SORTED = Answer('{"label": "refund", "confidence": 0.9}')

pytestmark = pytest.mark.anyio


@pytest.fixture
def previous(tmp_path: Path, endpoint: FakeOpenAI) -> Path:
    """A folder with another model, and prompts that say something else."""
    shutil.copytree(HERE / "prompts", tmp_path / "old/prompts")
    for path in (tmp_path / "old/prompts").glob("*.j2"):
        path.write_text(path.read_text().replace("{{ canary }}", "The old way. {{ canary }}"))
    (tmp_path / "old/models.yaml").write_text(f"""
models:
  small: {{kind: classifier}}
  large: {{kind: openai, url: "{endpoint.url}", name: big-old}}
  local: {{kind: extractive}}
request_classes:
  sort: {{route: [small, large], prompt: sort}}
  draft: {{route: [large, local], prompt: draft, retrieve: 2}}
""")
    return tmp_path / "old"


def choose_for_bert(gateway: Gateway, folder: Path) -> None:
    old = load_release(gateway, "old", folder / "models.yaml", folder / "prompts")
    gateway.choose = lambda principal: old if principal is BERT else gateway.release


async def test_each_request_has_the_model_and_the_prompts_of_its_release(
    make_gateway: Make, endpoint: FakeOpenAI, previous: Path
) -> None:
    gateway = make_gateway()
    choose_for_bert(gateway, previous)
    asked = []
    for principal in (ANNA, BERT):
        endpoint.answers = [DRAFT]
        result = await gateway.complete("draft", LOST, principal=principal)
        system = endpoint.calls[-1]["messages"][0]["content"]
        asked.append((endpoint.calls[-1]["model"], "The old way." in system))
        assert result.prompt_hash is not None
    assert asked == [("big", False), ("big-old", True)]
    endpoint.answers = [SORTED]
    await gateway.classify("sort", UNSURE, principal=BERT)
    assert endpoint.calls[-1]["model"] == "big-old"


async def test_an_answer_of_one_release_is_not_kept_for_another(
    make_gateway: Make, endpoint: FakeOpenAI, previous: Path
) -> None:
    gateway = make_gateway(cache_ttl_s=60)
    old = load_release(gateway, "old", previous / "models.yaml", previous / "prompts")
    endpoint.usual = DRAFT
    first = await gateway.complete("draft", LOST, principal=ANNA)
    gateway.choose = lambda _principal: old
    second = await gateway.complete("draft", LOST, principal=ANNA)
    assert first.prompt_hash != second.prompt_hash
    assert not second.cached


async def test_the_threshold_of_a_release_decides_what_is_unsure(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    gateway = make_gateway()
    bold = replace(gateway.release, threshold=0.3)
    shy = replace(gateway.release, threshold=0.995)
    gateway.choose = lambda _principal: bold
    assert not (await gateway.classify("sort", UNSURE, principal=ANNA)).escalated
    gateway.choose = lambda _principal: shy
    endpoint.answers = [SORTED]
    assert (await gateway.classify("sort", "I lost my card", principal=ANNA)).escalated


async def test_without_escalation_a_person_decides(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    gateway = make_gateway()
    quiet = replace(gateway.release, escalates=False)
    gateway.choose = lambda _principal: quiet
    result = await gateway.classify("sort", UNSURE, principal=ANNA)
    assert (result.needs_person, result.route, endpoint.calls) == (True, "small", [])


async def test_without_remote_models_the_rest_of_the_route_answers(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    gateway = make_gateway()
    alone = replace(gateway.release, remote=False)
    gateway.choose = lambda _principal: alone
    assert (await gateway.complete("draft", LOST, principal=ANNA)).route == "local"
    assert (await gateway.classify("sort", UNSURE, principal=ANNA)).needs_person
    assert endpoint.calls == []
    gateway = make_gateway(route=["large"])
    cut = replace(gateway.release, remote=False)
    gateway.choose = lambda _principal: cut
    with pytest.raises(AppError, match="No model is configured"):
        await gateway.complete("draft", LOST, principal=Principal("north", "carl"))
