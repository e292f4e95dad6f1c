"""Limits that processes share, by a real server. Needs the package `redis` and a `redis-server`."""

import asyncio
import multiprocessing
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import Request
from limits import parse

from app.core import limits
from app.core.limits import Limits
from app.core.metrics import Metrics
from app.core.problems import AppError

redis = pytest.importorskip("redis")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server"),
]
SIX = parse("6/minute")
KEY = SIX.key_for("read", "acme")


class Server:
    """A server that can die and come back."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)
        self._folder = folder
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        command = ["redis-server", "--port", str(self.port), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        until = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < until, "redis-server does not answer"
                time.sleep(0.02)
            else:
                return self.process

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.client.close()
    made.stop()


@asynccontextmanager
async def shared(url: str) -> AsyncIterator[Limits]:
    made = Limits(limits.load(Path("limits.yaml")), url, Metrics())
    yield made
    await made.close()


@pytest.fixture
async def made(server: Server) -> AsyncIterator[Limits]:
    async with shared(server.url) as limits_:
        yield limits_


async def allowed(made: Limits, times: int) -> int:
    """How many of so many requests are answered."""
    found = 0
    for _ in range(times):
        try:
            await made.count(Request({"type": "http", "headers": []}), "read", SIX, "acme")
        except AppError:
            continue
        found += 1
    return found


def _elsewhere(url: str, times: int) -> int:
    async def run() -> int:
        async with shared(url) as made:
            return await allowed(made, times)

    return asyncio.run(run())


def test_processes_share_a_limit_and_its_window_ends(server: Server) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_elsewhere, [(server.url, 5), (server.url, 5)])
    assert sum(found) == SIX.amount
    (stored,) = server.client.keys("*")
    assert KEY in stored.decode()
    assert 0 < server.client.ttl(stored) <= 60


async def test_a_server_that_dies_is_not_waited_for_and_counts_again_when_it_is_back(
    server: Server, made: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await allowed(made, 4) == 4
    server.stop()
    began = time.perf_counter()
    assert await allowed(made, 8) == SIX.amount, "this process counts for itself"
    assert time.perf_counter() - began < 1
    server.start()
    assert server.client.keys("*") == []
    await allowed(made, 1)
    assert server.client.keys("*") == [], "it is left alone for a while"
    monkeypatch.setattr(made, "_paused_until", 0.0)
    assert await allowed(made, 7) == SIX.amount
    assert len(server.client.keys("*")) == 1


async def test_a_server_that_says_nothing_holds_nobody_up(server: Server, made: Limits) -> None:
    assert await allowed(made, 1) == 1
    server.process.send_signal(signal.SIGSTOP)
    began = time.perf_counter()
    assert await allowed(made, 20) == SIX.amount
    assert time.perf_counter() - began < 3 * limits._PATIENCE_S
