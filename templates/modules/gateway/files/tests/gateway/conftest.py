"""Envoy itself, before the application and before one that only writes down what reaches it."""

import asyncio
import http.client
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Security

from app.core.principal import principal_of
from app.gateway.document import issuer_of, text_of
from app.gateway.rules import Issuer
from app.gateway.settings import GatewaySettings
from app.main import create_app
from app.settings import Settings
from tests.auth.conftest import SITE
from tests.auth.forge import LYING
from tests.conftest import TABLES

LOOPBACK = "127.0.0.1"
Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage


@dataclass
class Recorder:
    """An application that answers 200 to everything, and knows what it was asked."""

    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["raw_path"].decode(), headers))
        named = [(b"server", b"recorder/1.0")]
        await send({"type": "http.response.start", "status": 200, "headers": named})
        await send({"type": "http.response.body"})


@dataclass
class Stack:
    """The application, and a gateway before the recorder: their ports."""

    app: FastAPI
    issuer: Issuer
    service: int
    recorded: int
    recorder: Recorder


def ask(
    port: int, method: str, target: str, headers: Headers = (), address: str = LOOPBACK
) -> Answer:
    """Send a request of exactly this target; its answer's body is not waited for."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20, source_address=(address, 0))
    try:
        connection.putrequest(method, target)
        for name, value in headers:
            connection.putheader(name, value)
        if method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def stack(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    scratch = tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as patch:
        app, recorder = _application(patch, migrated, scratch), Recorder()
        found = asyncio.run(issuer_of(app))
        with serving(app) as service, serving(recorder) as recording:
            issuer = replace(
                found,
                jwks_uri=f"http://{LOOPBACK}:{service}/development-issuer/jwks",
                tenant_claim="tenant",
                tier_claim="tier",
            )
            with gateway(scratch / "envoy.yaml", app, issuer, recording) as recorded:
                yield Stack(app, issuer, service, recorded, recorder)


@pytest.fixture(scope="module")
def through(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway before the application itself."""
    path = tmp_path_factory.mktemp("through") / "envoy.yaml"
    with gateway(path, stack.app, stack.issuer, stack.service) as port:
        yield port


def _application(patch: pytest.MonkeyPatch, migrated: Path, scratch: Path) -> FastAPI:
    for name, value in {
        "AUTH_PROVIDER": "development",
        "AUTH_PUBLIC_URL": SITE,
        "AUTH_CLIENT_SECRET": "c" * 32,
        "AUTH_SECRET": "s" * 32,
        "AUTH_TENANT_CLAIM": "",
    }.items():
        patch.setenv(name, value)
    # The key by which the tests sign is the issuer's.
    patch.setattr("app.auth.issuer.grants.draw_key", lambda: LYING)
    # All tests come from one address, and the service counts those that it refuses.
    patch.setattr("app.core.limits.ProcessCounters.incr", _first)
    database = shutil.copyfile(migrated, scratch / "app.db")
    settings = Settings(
        _env_file=None,
        environment="test",
        database_url=f"sqlite+aiosqlite:///{database}",
        in_process_workers=False,
        log_level="ERROR",
        **TABLES,
    )
    app = create_app(settings)
    for path, scope in {
        "/planted/secret": "tickets:read",
        "/planted/{name}": "metrics:read",
    }.items():
        guard = Security(principal_of, scopes=[scope])
        app.add_api_route(path, lambda: "planted", dependencies=[guard])
    app.state.services.limits.assign(app, app.state.services.access)
    return app


async def _first(_self: Any, _key: str, _expiry: int) -> int:
    return 1


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[int]:
    """Serve on a free port, which comes out."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait(lambda: server.started, thread.is_alive)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


@contextmanager
def gateway(path: Path, app: FastAPI, issuer: Issuer, upstream: int) -> Iterator[int]:
    """Run Envoy before `upstream`; its port comes out. Its log is beside its configuration."""
    envoy = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if envoy is None:
        pytest.skip("envoy is not installed here: just gateway brings it")
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    settings = GatewaySettings(
        _env_file=None, host=LOOPBACK, port=port, upstream=f"{LOOPBACK}:{upstream}"
    )
    path.write_text(text_of(app, issuer, settings))
    options = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")
    with path.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  our own configuration
            [envoy, "--config-path", str(path), *options], stdout=log, stderr=log
        )
    try:
        _wait(lambda: _listens(port), lambda: process.poll() is None)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _wait(is_ready: Callable[[], bool], is_alive: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_ready():
        assert is_alive(), "it ended"
        assert time.monotonic() < until, "it did not start"
        time.sleep(0.02)
