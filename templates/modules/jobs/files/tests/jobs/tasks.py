"""Tasks for the tests, importable by worker processes too."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from app.jobs import task
from app.services import Services


class Journal:
    """What the tasks of this process did."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.calls: list[Any] = []
        self.dead: list[Any] = []
        self.contexts: list[dict[str, Any]] = []
        self.running: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.fail = False
        self.gate = asyncio.Event()


journal = Journal()


@task("test.note")
async def note(services: Services, value: Any) -> None:
    journal.contexts.append(structlog.contextvars.get_contextvars())
    journal.calls.append(value)


async def _mourn(services: Services, email: str) -> None:
    journal.dead.append(email)


@task("test.fragile", max_attempts=3, on_dead=_mourn)
async def fragile(services: Services, email: str) -> None:
    journal.calls.append(email)
    if journal.fail:
        raise ValueError(f"cannot write to {email}")


@task("test.stuck", max_attempts=1, timeout_seconds=0.05)
async def stuck(services: Services) -> None:
    await asyncio.sleep(60)


@contextmanager
def _counted(queue: str) -> Iterator[None]:
    journal.running[queue] += 1
    journal.peak[queue] = max(journal.peak[queue], journal.running[queue])
    try:
        yield
        journal.calls.append(queue)
    finally:
        journal.running[queue] -= 1


@task("test.think", queue="inference")
async def think(services: Services) -> None:
    with _counted("inference"):
        await journal.gate.wait()


@task("test.quick")
async def quick(services: Services, seconds: float = 0.01) -> None:
    with _counted("default"):
        await asyncio.sleep(seconds)


@task("test.append")
async def append(services: Services, folder: str, line: str) -> None:
    """Append `line` to `lines` in `folder`, once there is a file `gate`."""
    while not Path(folder, "gate").exists():  # noqa: ASYNC110, ASYNC240  another process makes it
        await asyncio.sleep(0.01)
    with Path(folder, "lines").open("a") as file:  # noqa: ASYNC230
        file.write(f"{line}\n")
