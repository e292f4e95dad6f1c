"""FLAGS_URL: rules that flagd sends, by its protocol. The server is a stand-in over real gRPC."""

import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.core.metrics import Metrics
from app.flags.catalogue import ESCALATION, RELEASE
from app.flags.flags import Flags
from app.flags.settings import FlagsSettings
from tests.flags.conftest import ANNA, PEOPLE, FlagFile, Make


class Flagd:
    """Streams a file's content when asked, and again at each send(). A restart keeps the port."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._port = 0
        self._server: Any = None
        self._listeners: list[queue.Queue[str | None]] = []

    def start(self) -> str:
        import grpc
        from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

        listeners, path = self._listeners, self._path

        class Service(sync_pb2_grpc.FlagSyncServiceServicer):
            """Knows flags only, as flagd since it sends its context along with them."""

            def SyncFlags(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
                waiting: queue.Queue[str | None] = queue.Queue()
                waiting.put(path.read_text())
                listeners.append(waiting)
                while (content := waiting.get()) is not None:
                    yield sync_pb2.SyncFlagsResponse(flag_configuration=content)

        self._server = grpc.server(ThreadPoolExecutor(4))
        sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(Service(), self._server)  # type: ignore
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._server.start()
        return f"grpc://127.0.0.1:{self._port}"

    def send(self) -> None:
        for listener in self._listeners:
            listener.put(self._path.read_text())

    def stop(self) -> None:
        for listener in self._listeners:
            listener.put(None)
        self._listeners.clear()
        self._server.stop(grace=0).wait()


@pytest.fixture
def flagd(flags_file: FlagFile) -> Iterator[Flagd]:
    server = Flagd(flags_file.path)
    yield server
    server.stop()


@pytest.fixture
def closing() -> Iterator[list[Flags]]:
    from openfeature import api
    from openfeature.provider.no_op_provider import NoOpProvider

    opened: list[Flags] = []
    yield opened
    for flags in opened:
        api.set_provider(NoOpProvider(), flags._domain)


def connect(url: str, metrics: Metrics, closing: list[Flags]) -> Flags:
    flags = Flags(FlagsSettings(url=url), metrics)
    closing.append(flags)
    return flags


def until(condition: Any, seconds: float) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)


def test_flagd_says_what_the_file_says_and_every_change(
    flagd: Flagd, flags_file: FlagFile, make_flags: Make, metrics: Metrics, closing: list[Flags]
) -> None:
    flags_file.alter("release", targeting={"fractional": [["current", 60], ["previous", 40]]})
    flags = connect(flagd.start(), metrics, closing)
    by_file = make_flags()
    for person in PEOPLE[:200]:
        assert flags.resolve(RELEASE, person) == by_file.resolve(RELEASE, person)
    assert flags.enabled(ESCALATION, ANNA)
    flags_file.alter("escalation", defaultVariant="off")
    flagd.send()
    until(lambda: not flags.enabled(ESCALATION, ANNA), seconds=1)


def test_without_flagd_defaults_hold_until_it_comes(
    flagd: Flagd, flags_file: FlagFile, metrics: Metrics, closing: list[Flags]
) -> None:
    flags_file.alter("escalation", defaultVariant="off")
    url = flagd.start()
    flagd.stop()
    flags = connect(url, metrics, closing)
    assert flags.enabled(ESCALATION, ANNA)
    assert b'flags_failures_total{flag="escalation"' in metrics.render()
    flagd.start()
    until(lambda: not flags.enabled(ESCALATION, ANNA), seconds=10)
    flagd.stop()
    time.sleep(0.3)
    assert not flags.enabled(ESCALATION, ANNA), "the last rules hold while it is away"
    flagd.start()


def test_the_address_is_checked() -> None:
    for wrong in ("http://flagd:8015", "flagd:8015", "grpc://flagd"):
        with pytest.raises(ValueError, match="String should match pattern"):
            FlagsSettings(url=wrong)
