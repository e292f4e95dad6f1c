"""A small model trained on a few texts, and a server of it on a port of its own."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn

from app.ai.classifier import Classifier
from app.ai.training import train
from app.inference.server import create_server
from app.inference.settings import ServerSettings

KEY = "k" * 32
TEXTS = {
    "card_lost": ["my card is gone", "I lost my card", "where is my card", "card was stolen"],
    "refund": ["I want my money back", "give me a refund", "refund please", "money returned"],
    "transfer": ["send money to a friend", "how to transfer", "a transfer is late", "wire it"],
}
ALL = [*itertools.chain(*TEXTS.values()), "", "zzz", "naïve café £5 😀", "refund " * 900]


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    rows = [
        f"{text} {n},{label}" for label, texts in TEXTS.items() for text in texts for n in "abc"
    ]
    (folder / "train.csv").write_text("\n".join(["text,category", *rows]) + "\n")
    train(folder / "train.csv", None, folder / "small.npz")
    return folder / "small.npz"


@pytest.fixture(scope="session")
def classifier(model_path: Path) -> Classifier:
    return Classifier.load(model_path)


@pytest.fixture(scope="session")
def server_settings(model_path: Path) -> ServerSettings:
    return ServerSettings(
        _env_file=None,
        environment="test",
        model_path=model_path,
        inference_key=KEY,
        body_limit_bytes=10_000,
        log_level="ERROR",
    )


@pytest.fixture(scope="session")
def server(server_settings: ServerSettings) -> Iterator[str]:
    """The address of a running server that is ready."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        running = uvicorn.Server(
            uvicorn.Config(create_server(server_settings), log_level="warning", access_log=False)
        )
        thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
        thread.start()
        try:
            _until_ready(address)
            yield address
        finally:
            running.should_exit = True
            thread.join()


def _until_ready(address: str) -> None:
    for _ in range(200):
        try:
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


async def until_it_says(client: httpx2.AsyncClient, wanted: str) -> None:
    """Wait until /readyz says that."""
    for _ in range(500):
        if wanted in (await client.get("/readyz")).text:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"/readyz does not say {wanted}")
