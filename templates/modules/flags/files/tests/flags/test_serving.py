"""Flags of running processes: an edit, and a rollback under load without a failed request."""

import asyncio
import base64
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from app.ai.prompts import PromptSet
from app.settings import Settings
from tests.fake_openai import Answer, FakeOpenAI
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio
AI = Path("tests/ai").resolve()
MODELS = """
models:
  small: {{kind: classifier}}
  large: {{kind: openai, url: "{url}", name: {name}}}
request_classes:
  draft: {{route: [large], prompt: draft, retrieve: 2}}
"""


@dataclass(frozen=True)
class Site:
    """Two processes that serve the same repository, and what its two releases say."""

    clients: list[httpx2.AsyncClient]
    environment: dict[str, str]
    new: tuple[str, str]  # model and hash of the prompt
    old: tuple[str, str]

    async def ask(self, person: int) -> dict[str, str]:
        """Ask the one process or the other. Raises when that fails in any way."""
        name = base64.b64encode(f"person-{person}:{'x' * 32}".encode()).decode()
        response = await self.clients[person % len(self.clients)].get(
            "/ask", headers={"Authorization": f"Basic {name}"}
        )
        response.raise_for_status()
        return response.json()

    async def answers(self) -> set[tuple[str, str]]:
        found = [await self.ask(person) for person in range(len(self.clients))]
        assert len({answer["process"] for answer in found}) == len(self.clients)
        return {(answer["model"], answer["prompt"]) for answer in found}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        server.usual = Answer("Freeze the card in the app [1].", delay_s=0.02)
        yield server


@pytest.fixture
async def site(
    tmp_path: Path, settings: Settings, flags_file: FlagFile, endpoint: FakeOpenAI
) -> AsyncIterator[Site]:
    hashes = []
    for folder, name in ((tmp_path / "now", "big-2"), (tmp_path / "before", "big-1")):
        shutil.copytree(AI / "prompts", folder / "prompts")
        draft = folder / "prompts/draft.j2"
        draft.write_text(
            draft.read_text().replace("{{ canary }}", f"{folder.name} {{{{ canary }}}}")
        )
        (folder / "models.yaml").write_text(MODELS.format(url=endpoint.url, name=name))
        prompts = PromptSet.load(folder / "prompts")
        (folder / "prompts.lock").write_text(prompts.lock())
        hashes.append((f"{name}-2026", prompts["draft"].sha256))
    before = {
        "models": str(tmp_path / "before/models.yaml"),
        "prompts": str(tmp_path / "before/prompts"),
        "threshold": None,
    }
    variants = flags_file.read()["flags"]["release"]["variants"]
    flags_file.alter("release", variants=variants | {"previous": before})
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "ACCESS_TOKEN": "x" * 32,
        "FLAGS_FILE": str(flags_file.path),
        "MODELS_FILE": str(tmp_path / "now/models.yaml"),
        "AI_PROMPTS_DIR": str(tmp_path / "now/prompts"),
        "AI_KNOWLEDGE_DIR": str(AI / "knowledge"),
        "IN_PROCESS_WORKERS": "false",
        "LOG_LEVEL": "ERROR",
    }
    with ExitStack() as stack:
        ports = [stack.enter_context(serving(environment)) for _ in range(2)]
        clients = [httpx2.AsyncClient(base_url=f"http://127.0.0.1:{p}") for p in ports]
        for client in clients:
            await until_it_answers(client)
        yield Site(clients, environment, *hashes)
        for client in clients:
            await client.aclose()


def serving(environment: dict[str, str]) -> "_Process":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.flags.served:create"]
    options = ["--port", str(port), "--log-level", "warning"]
    return _Process(subprocess.Popen([*command, *options], env=environment), port)  # noqa: S603


class _Process:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self._port = process, port

    def __enter__(self) -> int:
        return self._port

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(10)


async def until_it_answers(client: httpx2.AsyncClient) -> None:
    """Until it has asked a model once: the first time loads the SDK, which takes a second."""
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/ask", auth=("ada", "x" * 32), timeout=20)).is_success:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)


async def test_an_edit_takes_effect_within_a_second_while_serving(
    site: Site, flags_file: FlagFile
) -> None:
    assert await site.answers() == {site.new}
    flags_file.alter("release", defaultVariant="previous", targeting={})
    await asyncio.sleep(1)
    assert await site.answers() == {site.old}


async def press_the_button(site: Site) -> None:
    form = {"variant": "previous", "reason": "worse"}
    done = await site.clients[0].post("/flags/release/pin", data=form, auth=("ada", "x" * 32))
    assert done.status_code == 303


async def call_the_command(site: Site) -> None:
    command = [sys.executable, "-c", "from app.cli import main; main()"]
    arguments = ["flags", "pin", "release", "previous", "--by", "ada", "--reason", "worse"]
    pin = await asyncio.create_subprocess_exec(*command, *arguments, env=site.environment)
    assert await pin.wait() == 0


@pytest.mark.parametrize(
    "roll_back", [press_the_button, pytest.param(call_the_command, marks=pytest.mark.slow)]
)
async def test_a_rollback_under_load_takes_five_seconds_at_most_and_fails_no_request(
    site: Site, roll_back: Callable[[Site], Awaitable[None]]
) -> None:
    """No request that begins later is answered by the new model or its prompts."""
    answered: list[tuple[float, tuple[str, str]]] = []
    one_more = asyncio.Condition()
    loading = True

    async def load(person: int) -> None:
        while loading:
            began = time.monotonic()
            answer = await site.ask(person)
            async with one_more:
                answered.append((began, (answer["model"], answer["prompt"])))
                one_more.notify_all()
            await asyncio.sleep(0.05)

    async def answers(who: tuple[str, str], number: int) -> None:
        async with one_more:
            await one_more.wait_for(lambda: sum(one == who for _, one in answered) >= number)

    async with asyncio.timeout(60), asyncio.TaskGroup() as people:
        for person in range(12):
            people.create_task(load(person))
        await answers(site.new, 30)
        called = time.monotonic()
        await roll_back(site)
        await answers(site.old, 30)
        loading = False
    assert {who for began, who in answered if began < called} == {site.new}
    last_new = max(began for began, who in answered if who == site.new)
    assert last_new - called < 5
    after = {who for began, who in answered if began > last_new}
    assert after == {site.old}, "model and prompts together, never one of them"
