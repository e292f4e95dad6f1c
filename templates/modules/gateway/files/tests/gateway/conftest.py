"""Envoy itself, before the application and before one that only writes down what reaches it."""

import asyncio
import http.client
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
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
CONNECTIONS = 8
# What is configured, by as little as a test can wait for.
LONGEST_S = 1.5
HASTE = {
    "request_headers_timeout": "0.5s",
    "request_timeout": "1s",
    "stream_idle_timeout": f"{LONGEST_S}s",
    "idle_timeout": "0.5s",
    "cache_duration": "0.5s",
    "max_active_downstream_connections": str(CONNECTIONS),
}
ANY_PORT = {"socket_address": {"address": LOOPBACK, "port_value": 0}}
# Whom the service has counted.
COUNTED: list[str] = []
Headers = Sequence[tuple[str, str]]
Configured = Callable[[FastAPI, Issuer, GatewaySettings], str]

# Small numbers, which a slow machine does not fill up again while they are counted.
LIMITS = """
tiers:
  free: { read: 30/hour, write: 30/hour }
  standard: { read: 90000/hour, write: 90000/hour }
  gold: { read: 90000/hour, write: 90000/hour }
addresses: { public: 90000/hour, login: 60/hour, refused: 90000/hour }
"""


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    refusal: bytes


@dataclass
class Recorder:
    """An application that answers 200 to what arrives whole, and knows what it was asked.

    Headers of a request say how long it waits before that, and how much it answers.
    """

    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["raw_path"].decode(), headers))
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(float(headers.get("pause", 0)))
        named = [(b"server", b"recorder/1.0")]
        await send({"type": "http.response.start", "status": 200, "headers": named})
        await send({"type": "http.response.body", "body": bytes(int(headers.get("size", 0)))})


@dataclass
class Gateway:
    """An Envoy that runs: its port, and the folder where it says what it does."""

    port: int
    folder: Path

    def statistics(self) -> dict[str, int]:
        """Return what Envoy has counted by now."""
        told = json.loads(_admin(self.folder, "stats?format=json&filter=^(http|cluster)"))
        return {it["name"]: it["value"] for it in told["stats"] if "name" in it}

    def log(self) -> str:
        """Return what it has written; it does so a moment after an answer."""
        return (self.folder / "log").read_text()


@dataclass
class Served:
    """The application and the recorder, and the ports where they are."""

    app: FastAPI
    issuer: Issuer
    service: int
    recorder: Recorder
    recording: int


@dataclass
class Stack(Served):
    """With a gateway before the recorder."""

    gateway: Gateway

    @property
    def recorded(self) -> int:
        return self.gateway.port


def ask(
    port: int, method: str, target: str, headers: Headers = (), address: str = LOOPBACK
) -> Answer:
    """Send a request of exactly this target; the body of a good answer is not waited for."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60, source_address=(address, 0))
    try:
        connection.putrequest(method, target)
        for name, value in headers:
            connection.putheader(name, value)
        if method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read() if answer.status >= 400 else b"")
    finally:
        connection.close()


@pytest.fixture(scope="module")
def served(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        scratch = tmp_path_factory.mktemp("served")
        app, recorder = _application(patch, migrated, scratch), Recorder()
        found = asyncio.run(issuer_of(app))
        with serving(app) as service, serving(recorder) as recording:
            issuer = replace(
                found,
                jwks_uri=f"http://{LOOPBACK}:{service}/development-issuer/jwks",
                tenant_claim="tenant",
                tier_claim="tier",
            )
            yield Served(app, issuer, service, recorder, recording)


@pytest.fixture(scope="module")
def configured(request: pytest.FixtureRequest) -> Configured:
    """How a gateway's configuration is made; a run may ask for several ways."""
    return getattr(request, "param", text_of)


@pytest.fixture(scope="module")
def stack(
    served: Served, configured: Configured, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    text = configured(served.app, served.issuer, before(served.recording))
    with gateway(tmp_path_factory.mktemp("gateway"), text) as made:
        yield Stack(**vars(served), gateway=made)


@pytest.fixture(scope="module")
def hasty(
    served: Served, configured: Configured, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One that has less patience, and takes few connections."""
    text = configured(served.app, served.issuer, before(served.recording))
    for name, little in HASTE.items():
        text = re.sub(rf"\b{name}: .*", f"{name}: {little}", text)
    with gateway(tmp_path_factory.mktemp("hasty"), text) as made:
        yield made


@pytest.fixture(scope="module")
def through(
    served: Served, configured: Configured, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The port of a gateway before the application itself, and behind a proxy."""
    text = configured(served.app, served.issuer, before(served.service, trusted_hops=1))
    with gateway(tmp_path_factory.mktemp("through"), text) as made:
        yield made.port


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
    tables: dict[str, Any] = TABLES | {"limits_file": scratch / "limits.yaml"}
    tables["limits_file"].write_text(LIMITS)
    settings = Settings(
        _env_file=None,
        environment="test",
        database_url=f"sqlite+aiosqlite:///{database}",
        in_process_workers=False,
        log_level="ERROR",
        # The gateway, and the proxy before it.
        trusted_hops=2,
        **tables,
    )
    app = create_app(settings)
    for path, scope in {
        "/planted/secret": "tickets:read",
        "/planted/{name}": "metrics:read",
    }.items():
        guard = Security(principal_of, scopes=[scope])
        app.add_api_route(path, lambda: "planted", dependencies=[guard], methods=["GET", "POST"])
    app.state.services.limits.assign(app, app.state.services.access)
    return app


async def _first(_self: Any, key: str, _expiry: int) -> int:
    COUNTED.append(key)
    return 1


@contextmanager
def serving(app: Callable[..., Any], certificate: Path | None = None) -> Iterator[int]:
    """Serve on a free port, which comes out."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            log_level="critical",
            timeout_graceful_shutdown=1,
            # As behind a gateway on another machine: of its own it believes this one only.
            proxy_headers=False,
            ssl_certfile=certificate,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait(lambda: server.started, thread.is_alive)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def before(upstream: int, **changes: Any) -> GatewaySettings:
    """Settings of a gateway that takes a port which is free."""
    return GatewaySettings.model_construct(
        host=LOOPBACK, port=0, upstream=f"{LOOPBACK}:{upstream}", **changes
    )


@contextmanager
def gateway(folder: Path, text: str, keys: str = "success") -> Iterator[Gateway]:
    """Run Envoy by this configuration; it comes out when it has the issuer's keys, or `keys`."""
    envoy = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if envoy is None:
        pytest.skip("envoy is not installed here: just gateway brings it")
    path, log = folder / "envoy.yaml", folder / "log"
    path.write_text(text)
    options = {
        "--config-path": path,
        "--config-yaml": json.dumps({"admin": {"address": ANY_PORT}}),
        "--admin-address-path": folder / "admin",
        "--concurrency": 1,
        "--log-level": "warning",
        "--file-flush-interval-msec": 50,
    }
    words = [str(word) for option in options.items() for word in option]
    with log.open("w") as file:
        process = subprocess.Popen(  # noqa: S603  our own configuration
            [envoy, "--disable-hot-restart", *words], stdout=file, stderr=file
        )
    try:
        wait(
            lambda: (
                _admin(folder, "ready").startswith("LIVE")
                and bool(re.search(rf"({keys}): [1-9]", _admin(folder, "stats?filter=jwks_fetch")))
            ),
            lambda: process.poll() is None or pytest.fail(log.read_text()),
        )
        listeners = json.loads(_admin(folder, "listeners?format=json"))["listener_statuses"]
        yield Gateway(listeners[0]["local_address"]["socket_address"]["port_value"], folder)
    finally:
        process.terminate()
        process.wait(60)


def _admin(folder: Path, path: str) -> str:
    """What Envoy tells of itself; nothing while it does not answer."""
    try:
        address = (folder / "admin").read_text()
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=60) as answer:
            return answer.read().decode()
    except (OSError, ValueError):
        return ""


def wait(is_ready: Callable[[], bool], is_alive: Callable[[], bool] = lambda: True) -> None:
    """Return when it is ready; fail when it is not alive, or after two minutes."""
    until = time.monotonic() + 120
    while not is_ready():
        assert is_alive(), "it ended"
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.02)
