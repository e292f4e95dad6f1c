"""What a deploy does to this server: settings, state, one deploy at a time, Compose and Caddy.

The layout, in the folder that holds `releases/`:

    .env              settings and secrets, mode 0600
    state.json        which release serves, from which slot
    caddy/            the Caddyfile that is in force, and in route/ who serves
    releases/ID/      compose files, Caddyfile and these scripts, as they were shipped
    backups/          dumps of the database
    previews/NUMBER/  the same again for a pull request that is shown: preview.py
"""

import fcntl
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SLOTS = ("blue", "green")
# Those of the Caddyfile where previews are shown.
PLACES = (1, 2, 3)
# What Caddy reads in place of an address while nothing serves.
CLOSED = "closed"


class Failure(Exception):  # noqa: N818  what a person reads: what happened, and what to do
    """A step did not succeed."""


@dataclass
class Live:
    """A release in a slot."""

    release: str
    slot: str


@dataclass
class State:
    """Who serves. While `watched`, `live` has yet to prove good, and `before` still runs."""

    live: Live | None = None
    before: Live | None = None
    watched: bool = False
    history: list[str] = field(default_factory=list)


class Server:
    """One server, at the folder `root`; its settings are those of the release `release`."""

    def __init__(self, root: Path, release: str) -> None:
        self.root = root
        self.folder = self.release(release)
        self.settings = _pairs(self.folder / "server.env")
        self.name = self.settings["NAME"]
        self._lock: int | None = None

    def inner(self, root: Path, release: str) -> "Server":
        """One inside this one, at `root`: what it starts holds on to the lock of this one."""
        made = Server(root, release)
        made._lock = self._lock
        return made

    def release(self, name: str) -> Path:
        """The folder of a release."""
        folder = self.root / "releases" / name
        if not (folder / "image").is_file():
            raise Failure(f"there is no release {name}. There are: {' '.join(self.releases())}")
        return folder

    def releases(self) -> list[str]:
        """The releases that are on this server, the newest first."""
        folders = (path.parent for path in (self.root / "releases").glob("*/image"))
        return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime)][::-1]

    def seconds(self, setting: str) -> float:
        return float(self.settings[setting])

    def address(self, slot: str) -> str:
        return f"127.0.0.1:{self.settings[f'PORT_{slot.upper()}']}"

    def image(self, release: str) -> str:
        return (self.release(release) / "image").read_text().strip()

    def say(self, step: str, what: str) -> None:
        """Tell a person, and the log: a deploy goes on when nobody listens any more."""
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {step:8} {what}"
        with (self.root / "deploy.log").open("a") as log:
            log.write(f"{line}\n")
        with suppress(OSError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    # -- state -------------------------------------------------------------------------------------

    def state(self) -> State:
        path = self.root / "state.json"
        if not path.exists():
            return State()
        data = json.loads(path.read_text())
        live, before = (Live(**data[key]) if data[key] else None for key in ("live", "before"))
        return State(live, before, data["watched"], data["history"])

    def remember(self, state: State) -> None:
        replace(self.root / "state.json", json.dumps(asdict(state), indent=2) + "\n")

    @contextmanager
    def alone(self, name: str = "lock", patience_s: float = 0) -> Iterator[None]:
        """Only one changes this server. The commands that it starts hold on to this, too, so that
        what a killed one had begun has come to its end before the next one looks."""
        path = self.root / name
        deadline = time.monotonic() + patience_s
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _locked(self._lock):
                holder = path.read_text()
                is_alive = Path("/proc", holder.partition(":")[0]).exists()
                if is_alive and time.monotonic() > deadline:
                    raise Failure(f"another one is under way ({holder}). Try again when it is done")
                time.sleep(0.1)
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"{os.getpid()}: {' '.join(sys.argv[1:])}".encode())
            yield
        finally:
            os.close(self._lock)
            self._lock = None

    # -- secrets -----------------------------------------------------------------------------------

    def secrets(self) -> None:
        """See to it that `.env` is for its owner only, and make what the release asks for anew."""
        path = self.root / ".env"
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        if path.stat().st_mode & 0o077:
            raise Failure(f"others may read {path}, which holds secrets: chmod 600 {path}")
        present = _pairs(path)
        asked = re.findall(r"(?m)^(\w+)=generate$", (self.folder / ".env.example").read_text())
        if missing := [name for name in asked if name not in present]:
            # Hexadecimal digits are base64 as well, which some secrets must be.
            made = {name: secrets.token_hex(32) for name in missing}
            lines = "".join(f"{name}={value}\n" for name, value in made.items())
            replace(path, path.read_text() + lines, 0o600)
            self.say("secrets", f"made {', '.join(missing)} in {path}")

    def token(self) -> str:
        """What the application asks of its callers."""
        present = _pairs(self.root / ".env")
        return present.get("ACCESS_TOKEN") or present.get("CONTAINER_ACCESS_TOKEN", "")

    # -- Compose -----------------------------------------------------------------------------------

    def standing(self, *arguments: str, **streams: Any) -> str:
        """`docker compose` on what stays when releases change: the database, the cache, Caddy."""
        return self._compose(self.name, self.folder / "standing.yaml", {}, *arguments, **streams)

    def slot(self, live: Live, *arguments: str) -> str:
        """`docker compose` on a release in its slot."""
        file = self.release(live.release) / "release.yaml"
        env = {"IMAGE": self.image(live.release), "PUBLISH": self.address(live.slot)}
        return self._compose(f"{self.name}-{live.slot}", file, env, *arguments)

    def _compose(
        self, project: str, file: Path, env: dict[str, str], *arguments: str, **streams: Any
    ) -> str:
        return self.run(
            "docker", "compose", f"--project-name={project}", f"--env-file={self.root}/.env",
            f"--env-file={file.with_name('server.env')}", f"--file={file}", *arguments,
            env={"ROOT": str(self.root), **env}, **streams,
        )  # fmt: skip

    def run(
        self, *command: str, env: Mapping[str, str] = {}, stdin: Any = None, stdout: Any = None
    ) -> str:
        """The output of a command that must succeed; Failure with its last words otherwise."""
        done = subprocess.run(  # noqa: S603
            command,
            env={**os.environ, **env},
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if self._lock is None else (self._lock,),
            check=False,
        )
        if done.returncode:
            words = (done.stderr or done.stdout or b"").decode(errors="replace").strip()
            raise Failure(f"`{' '.join(command)}` failed ({done.returncode}):\n{words[-2000:]}")
        return (done.stdout or b"").decode(errors="replace")

    # -- Caddy -------------------------------------------------------------------------------------

    def prepare_caddy(self) -> None:
        """What Caddy reads when it starts for the first time."""
        for path, text in (
            ("Caddyfile", (self.folder / "Caddyfile").read_text()),
            ("route/before", CLOSED),
            ("route/live", CLOSED),
            *((f"route/preview-{place}", CLOSED) for place in PLACES),
        ):
            if not (self.root / "caddy" / path).exists():
                replace(self.root / "caddy" / path, text)

    def route(self, state: State) -> None:
        """Have Caddy send requests where `state` says. It finishes those that it has begun."""
        folder = self.root / "caddy"
        release = state.live.release if state.live else self.folder.name
        text = (self.release(release) / "Caddyfile").read_text()
        if text != (folder / "Caddyfile").read_text():
            headers = {"Content-Type": "text/caddyfile"}
            status, answer = ask(self.settings["CADDY_ADMIN"], "/load", "POST", text, headers)
            if status != 200:
                said = answer.decode(errors="replace")
                raise Failure(f"Caddy does not take the Caddyfile of {release}: {said}")
            replace(folder / "Caddyfile", text)
        live = self.address(state.live.slot) if state.live else CLOSED
        before = self.address(state.before.slot) if state.watched and state.before else live
        # In this order they are right together at every moment.
        replace(folder / "route/before", before)
        replace(folder / "route/live", live)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ask(
    address: str,
    path: str,
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str] = {},
) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 and the reason when there is none."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.fresh")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _pairs(path: Path) -> dict[str, str]:
    """The lines NAME=value of a file."""
    found = re.findall(r"(?m)^\s*(\w+)\s*=\s*(.*?)\s*$", path.read_text())
    return {name: value.strip("\"'") for name, value in found}
