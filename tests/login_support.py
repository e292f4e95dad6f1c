"""Programs that serve beside each other: an application, and the providers of its login."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workflow_steps import clean_environment

SECRET = "s" * 40
COOLDOWN_S = 3


@dataclass
class Served:
    """A process that serves at `url`, and the lines that it has printed."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def wait_for(self, line: str, times: int = 1) -> None:
        until = time.monotonic() + 20
        while self.lines.count(line) < times:
            assert time.monotonic() < until, f"{line!r} was not printed: {self.lines[-20:]}"
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(
    folder: Path, url: str, ready: str, command: list[str], env: Mapping[str, str]
) -> Iterator[Served]:
    """Serve until the block ends; `ready` is the path that answers as soon as all is well."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**clean_environment(), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    served = Served(url, process)
    assert process.stdout is not None
    lines = process.stdout

    def read() -> None:
        for line in lines:
            served.lines.append(line.rstrip("\n"))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        until = time.monotonic() + 60
        while not answers(f"{url}{ready}"):
            alive = process.poll() is None and time.monotonic() < until
            assert alive, "\n".join(served.lines[-40:])
            time.sleep(0.1)
        yield served
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        reader.join(5)
        lines.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


Serve = Callable[..., Served]
