"""Shows a change for a while: `python3 ci/preview.py start 12`, `stop 12`, `sweep`, `list`.

A preview is a checkout of its own, set up from nothing and served on a free port of 127.0.0.1. It
is given no setting of whoever starts it: its .env is made anew, and its database holds what `just
setup` seeds, which is invented. Needs git, uv and Python's standard library.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path("var/previews").absolute()
# All that a preview sees of the environment; whatever else is there may be a secret.
_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR")
_KEPT_OF_UV = ("UV_CACHE_DIR", "UV_INDEX_URL", "UV_OFFLINE", "UV_PYTHON", "UV_SYSTEM_CERTS")
_PATIENCE_S = 90
_GRACE_S = 15


class PreviewError(Exception):
    """It cannot be shown: what is wrong, and what to do."""


def start(number: int, ref: str, hours: float) -> dict[str, Any]:
    """Show `ref` as preview `number`, in place of an earlier one. Returns what `list` shows."""
    stop(number)
    folder = FOLDER / str(number)
    tree = folder / "tree"
    folder.mkdir(parents=True)
    try:
        _run("git", "worktree", "add", "--quiet", "--detach", str(tree), ref)
        _take_small_model(tree)
        _run("uv", "run", "--quiet", "just", "setup", cwd=tree, env=_environment())
        port = _free_port()
        with (folder / "log").open("w") as log:
            # Its processes inherit the lock, so that it is held as long as one of them lives.
            fcntl.flock(log, fcntl.LOCK_EX)
            process = subprocess.Popen(  # noqa: S603  fixed arguments, and a number
                ["uv", "run", "--quiet", "app", "serve", "--port", str(port)],  # noqa: S607
                cwd=tree,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        expires = datetime.now(UTC) + timedelta(hours=hours)
        shown = {
            "number": number,
            "url": f"http://127.0.0.1:{port}",
            "commit": _run("git", "rev-parse", "HEAD", cwd=tree).strip(),
            "expires": expires.isoformat(timespec="seconds"),
            "pid": process.pid,
        }
        (folder / "preview.json").write_text(json.dumps(shown), encoding="utf-8")
        _wait_until_ready(shown["url"], process, folder / "log")
    except BaseException:
        stop(number)
        raise
    return shown


def stop(number: int) -> bool:
    """End the preview and remove all it left. Returns whether there was one."""
    folder = FOLDER / str(number)
    if not folder.exists():
        return False
    if (shown := _read(folder)) and _is_alive(folder):
        os.killpg(shown["pid"], signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        while _is_alive(folder) and time.monotonic() < until:
            time.sleep(0.05)
        if _is_alive(folder):
            os.killpg(shown["pid"], signal.SIGKILL)
    shutil.rmtree(folder)
    _run("git", "worktree", "prune")
    return True


def sweep(now: datetime) -> list[int]:
    """End those whose time is over, and those that were left half made. Returns their numbers."""
    ended = []
    for folder in sorted(FOLDER.glob("[0-9]*")):
        shown = _read(folder)
        over = shown is None or datetime.fromisoformat(shown["expires"]) <= now
        if over or not _is_alive(folder):
            stop(int(folder.name))
            ended.append(int(folder.name))
    return ended


def previews() -> list[dict[str, Any]]:
    """Those that are shown now."""
    folders = sorted(FOLDER.glob("[0-9]*"))
    return [shown for folder in folders if (shown := _read(folder)) and _is_alive(folder)]


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / "preview.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _is_alive(folder: Path) -> bool:
    try:
        with (folder / "log").open() as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _take_small_model(tree: Path) -> None:
    """Spare the training where the same recipe was trained here."""
    model, lock = Path("var/small.npz"), Path("models.lock")
    theirs = tree / lock
    if model.exists() and theirs.exists() and theirs.read_bytes() == lock.read_bytes():
        (tree / "var").mkdir(exist_ok=True)
        shutil.copyfile(model, tree / model)


def _environment() -> dict[str, str]:
    return {key: os.environ[key] for key in (*_KEPT, *_KEPT_OF_UV) if key in os.environ}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise PreviewError(f"it ended at once:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310  our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise PreviewError(f"it is not ready after {_PATIENCE_S} s:\n{log.read_text()[-2000:]}")


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603  fixed programs, and a ref that git checks
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PreviewError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="show a commit")
    starting.add_argument("number", type=int)
    starting.add_argument("--ref", default="HEAD", help="which one, if not the present one")
    starting.add_argument("--hours", type=float, default=8, help="when `sweep` ends it")
    commands.add_parser("stop", help="end one").add_argument("number", type=int)
    commands.add_parser("sweep", help="end those whose time is over")
    commands.add_parser("list", help="say what is shown")
    options = parser.parse_args()
    try:
        for line in _lines(options):
            sys.stdout.write(f"{line}\n")
    except PreviewError as error:
        sys.exit(f"error: {error}")


def _lines(options: argparse.Namespace) -> list[str]:
    match options.command:
        case "start":
            shown = start(options.number, options.ref, options.hours)
            return [f"{shown['url']} until {shown['expires']}"]
        case "stop":
            ended = stop(options.number)
            return [f"preview {options.number} ended" if ended else "there is no such preview"]
        case "sweep":
            return [f"preview {number} ended" for number in sweep(datetime.now(UTC))]
        case _:
            return [f"{one['number']} {one['url']} until {one['expires']}" for one in previews()]


if __name__ == "__main__":
    main()
