"""A server as infra-vps sees it: a real Caddy, and processes where containers would be."""

import http.client
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from greenlane.environment import free_port

HERE = Path(__file__).parent
FILES = HERE.parent / "templates/modules/infra-vps/files/infra/vps"
SETTINGS = {
    "NAME": "shop",
    "CERTIFICATE_EMAIL": "ops@example.com",
    "READY_SECONDS": "2",
    "WATCH_SECONDS": "2",
    "DRAIN_SECONDS": "0.2",
    "KEEP": "3",
    "MEMORY": "1g",
    "CPUS": "2",
    "PREVIEWS_AT_ONCE": "2",
    "PREVIEW_HOURS": "72",
    "PREVIEW_MEMORY": "384m",
    "PREVIEW_CPUS": "0.5",
}
# What standing.yaml gives the container of Caddy.
FOR_CADDY = (
    "CADDY_ADMIN", "CADDY_ASK", "CERTIFICATE_EMAIL", "DOMAIN", "PREVIEWS", "PREVIEW_PORTS",
)  # fmt: skip
# How long something may take on a busy machine that takes no time on another one.
PATIENCE_S = 300
SLO = """\
flows:
  - name: inbox
    route: GET /inbox
  - name: ticket
    route: GET /tickets/{ticket_id}
"""


class Server:
    """The folder of a server, and `deploy.py` run on it."""

    def __init__(
        self, root: Path, caddy: str, settings: dict[str, str], files: Path = FILES
    ) -> None:
        self.root = root
        self.files = files
        ports = distinct_ports(6)
        self.port, self.preview_port = ports[0], ports[5]
        self.settings = SETTINGS | settings | {
            "DOMAIN": f"http://127.0.0.1:{ports[0]}",
            "CADDY_ADMIN": f"127.0.0.1:{ports[1]}",
            "PORT_BLUE": str(ports[2]),
            "PORT_GREEN": str(ports[3]),
            "CADDY_ASK": f"127.0.0.1:{ports[4]}",
            "PREVIEWS": f"https://*.previews.localhost:{ports[5]}",
            "PREVIEW_PORTS": port_prefix(),
        }  # fmt: skip
        self.standin = root / "standin"
        programs = root / "bin"
        for folder in (root, self.standin, programs):
            folder.mkdir(exist_ok=True)
        docker = programs / "docker"
        docker.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{HERE}/vps_docker.py" "$@"\n')
        docker.chmod(0o755)
        self.env = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "STANDIN": str(self.standin),
            "CADDY": caddy,
            "CADDY_FOLDER": str(root / "caddy"),
            **{key: self.settings[key] for key in FOR_CADDY},
            "HOME": str(root),
            "XDG_DATA_HOME": str(root / "caddy-data"),
            "XDG_CONFIG_HOME": str(root / "caddy-config"),
        }

    def ship(self, image: str, change: Callable[[str], str] = lambda text: text) -> str:
        """Put a release there, as `ship.sh` does; `change` plants a mistake in deploy.py."""
        release = image.replace(":", "-")
        folder = self.root / "releases" / release
        shutil.copytree(self.files, folder, dirs_exist_ok=True)
        (folder / "deploy.py").write_text(change((folder / "deploy.py").read_text()))
        (folder / "standing.yaml").touch()
        (folder / "server.env").write_text(
            "".join(f"{name}={value}\n" for name, value in self.settings.items())
        )
        secrets = ("CONTAINER_ACCESS_TOKEN", "POSTGRES_PASSWORD", "INFERENCE_KEY")
        asked = "".join(f"{name}=generate\n" for name in secrets)
        (folder / ".env.example").write_text(f"# Secrets\n{asked}")
        (folder / "slo.yaml").write_text(SLO)
        (folder / "image").write_text(f"{image}\n")
        return release

    def start(
        self, release: str, *command: str, script: str = "deploy.py", **env: str
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, self.root / "releases" / release / script, *command],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, release: str, *command: str, fails: bool = False) -> str:
        process = self.start(release, *command)
        printed, _ = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode != 0) is fails, printed
        return printed

    def deploy(
        self, image: str, change: Callable[[str], str] = lambda text: text, fails: bool = False
    ) -> str:
        return self.run(self.ship(image, change), "deploy", fails=fails)

    def killed_at(self, release: str, step: str, number: int = 1) -> list[str]:
        """Run a deploy and SIGKILL the script when it begins a step (the `number`th of the name).

        Returns the steps that it began; the last one is `step`, unless it ended before.
        """
        process = self.start(release, "deploy")
        assert process.stdout
        begun = []
        for line in process.stdout:
            begun.append(line.split()[1])
            if begun.count(step) == number:
                process.kill()
                break
        process.wait()
        process.stdout.close()
        return begun

    def state(self) -> dict[str, Any]:
        return json.loads((self.root / "state.json").read_text())

    def serving(self) -> str:
        return ask(self.port, "/")[1]

    def running(self) -> list[str]:
        """The applications that run, by what they were started with."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if f"{HERE}/vps_application.py" in words and any(
                address.endswith((self.settings["PORT_BLUE"], self.settings["PORT_GREEN"]))
                for address in words
            ):
                found.append(words[2])
        return sorted(found)

    def journal(self) -> list[list[str]]:
        """Every call of docker so far."""
        return [json.loads(line) for line in (self.standin / "journal").read_text().splitlines()]

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.root / name).stat().st_mode)

    def stop(self) -> None:
        """End what it started, by the ids that were noted."""
        for record in self.standin.glob("*/*.pid"):
            with_id = Path("/proc", record.read_text())
            if with_id.exists():
                os.kill(int(record.read_text()), 9)


def distinct_ports(count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        found.append(free_port(None, default=found[-1] + 1 if found else 18300))
    return found


def port_prefix() -> str:
    """Ports that are free, but for their last digit: 1, 2 or 3."""
    prefix = 1900
    while any(free_port(None, default=prefix * 10 + n) != prefix * 10 + n for n in (1, 2, 3)):
        prefix += 1
    return str(prefix)


def ask(port: int, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
    """Status and text of an answer, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Load:
    """Requests one after the other, by some at once; every one is counted, with what came of it.

    Not more than leaves the machine idle now and then: what is measured is the deploy.
    """

    def __init__(self, port: int, writes: bool) -> None:
        self._port = port
        self._writes = writes
        self._done = threading.Event()
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def requests(self) -> int:
        with self._lock:
            return sum(self.answers.values()) + len(self.failures)

    @contextmanager
    def running(self, threads: int = 4) -> Iterator["Load"]:
        workers = [threading.Thread(target=self._work, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            self._done.set()
            for worker in workers:
                worker.join()

    def _work(self, number: int) -> None:
        paths = ["/inbox", "/tickets/7", "/slow"] if number == 0 else ["/inbox", "/tickets/7"]
        turn = 0
        while not self._done.is_set():
            turn += 1
            begun = time.monotonic()
            path = paths[turn % len(paths)]
            method, body = ("POST", "x" * 2000) if self._writes and turn % 3 == 0 else ("GET", None)
            try:
                status, text = ask(self._port, path, method, body)
                failed = "" if status == 200 else f"{status} {text}"
            except (OSError, http.client.HTTPException) as error:
                text, failed = "", repr(error)
            with self._lock:
                if failed:
                    self.failures.append(f"{method} {path}: {failed}")
                else:
                    self.answers[text] += 1
            time.sleep(max(0.01, time.monotonic() - begun))
