"""Under load, a candidate that turns bad is gone within five seconds, and nobody gets an error."""

import asyncio
import base64
import itertools
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.ai.prompts import PromptSet
from app.settings import Settings
from tests.delivery.seen import SHIPPED
from tests.fake_openai import Answer, FakeOpenAI
from tests.flags.conftest import FlagFile
from tests.flags.test_serving import AI, MODELS, serving, until_it_answers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
TOKEN = "x" * 32
OBJECTIVES = """
{availability: 0.99, requests_per_second: 30, answer_cost_usd: 1, answer_tokens_out: 400,
 flows: [{name: ask, route: GET /ask, p95_ms: 800, error_rate: 0.01}]}
"""


@dataclass(frozen=True)
class Site:
    """Two processes, each with a candidate that `bad` makes slow, and a good baseline."""

    clients: list[httpx2.AsyncClient]
    environment: dict[str, str]
    candidate: FakeOpenAI

    async def ask(self, person: int) -> str:
        """Who answered. Raises when that fails in any way."""
        name = base64.b64encode(f"person-{person}:{TOKEN}".encode()).decode()
        response = await self.clients[person % len(self.clients)].get(
            "/ask", headers={"Authorization": f"Basic {name}"}
        )
        response.raise_for_status()
        return response.json()["model"]

    async def app(self, *arguments: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
        return await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.PIPE
        )


@pytest.fixture
async def site(tmp_path: Path, settings: Settings, flags_file: FlagFile) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        candidate, baseline = (stack.enter_context(FakeOpenAI()) for _ in range(2))
        releases: dict[str, dict[str, Any]] = {}
        for folder, name, server in (("now", "new", candidate), ("before", "old", baseline)):
            server.usual = Answer("Freeze the card in the app [1].")
            shutil.copytree(AI / "prompts", tmp_path / folder / "prompts")
            models = tmp_path / folder / "models.yaml"
            models.write_text(MODELS.format(url=server.url, name=name))
            prompts = tmp_path / folder / "prompts"
            (tmp_path / folder / "prompts.lock").write_text(PromptSet.load(prompts).lock())
            releases[name] = {"models": str(models), "prompts": str(prompts), "threshold": None}
        flags_file.alter(
            "release",
            variants={"current": releases["new"], "previous": releases["old"]},
            defaultVariant="previous",
            targeting={},
        )
        (tmp_path / "slo.yaml").write_text(OBJECTIVES)
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "ACCESS_TOKEN": TOKEN,
            "FLAGS_FILE": str(flags_file.path),
            "SLO_FILE": str(tmp_path / "slo.yaml"),
            "ROLLOUT_FILE": str(SHIPPED),
            "ROLLOUT_LOOK_EVERY_S": "0.5",
            "AI_KNOWLEDGE_DIR": str(AI / "knowledge"),
            "MODELS_FILE": releases["new"]["models"],
            "AI_PROMPTS_DIR": releases["new"]["prompts"],
            "IN_PROCESS_WORKERS": "false",
            "LOG_LEVEL": "ERROR",
        }
        ports = [stack.enter_context(serving(environment)) for _ in range(2)]
        addresses = [f"http://127.0.0.1:{port}" for port in ports]
        environment["ROLLOUT_METRICS"] = str(
            [f"{address}/metrics" for address in addresses]
        ).replace("'", '"')
        limits = httpx2.Limits(max_connections=100)
        clients = [httpx2.AsyncClient(base_url=a, timeout=30, limits=limits) for a in addresses]
        for client in clients:
            await until_it_answers(client)
        yield Site(clients, environment, candidate)
        for client in clients:
            await client.aclose()


async def test_a_candidate_that_turns_bad_is_taken_back(site: Site) -> None:
    answered: list[tuple[float, str]] = []
    persons = itertools.count()
    loading = True

    async def load() -> None:
        while loading:
            began = time.monotonic()
            answered.append((began, await site.ask(next(persons))))
            await asyncio.sleep(0.1)

    assert await (await site.app("rollout", "start", "model")).wait() == 0
    controller = await site.app("rollout", "run")
    async with asyncio.TaskGroup() as people:
        for _ in range(24):
            people.create_task(load())
        await asyncio.sleep(4)
        assert controller.returncode is None, "as long as it is good, it goes on"
        turned_bad = time.monotonic()
        site.candidate.usual = Answer("Freeze the card in the app [1].", delay_s=0.9)
        assert await asyncio.wait_for(controller.wait(), 10) == 1
        ended = time.monotonic()
        await asyncio.sleep(1)
        loading = False
    assert ended - turned_bad < 5
    by_new = [began for began, who in answered if who == "new-2026"]
    assert by_new, "the candidate had its share"
    assert max(by_new) - turned_bad < 5
    assert {who for began, who in answered if began > max(by_new)} == {"old-2026"}
    assert len(by_new) / len(answered) < 0.15
    status = await site.app("rollout", "status", "--json")
    output, _ = await status.communicate()
    assert b'"state": "rolled_back"' in output
    assert b"p95_ms" in output
