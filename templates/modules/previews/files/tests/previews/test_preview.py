"""A preview shows a commit, sees no secret, and ends. A stand-in for uv serves in its place."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.repository import commit, git

SCRIPT = Path(__file__).parents[2] / "ci/preview.py"
# `uv run just setup` notes what it sees; `uv run app serve --port N` serves the folder.
UV = """#!/bin/sh
case "$*" in
  *setup) env > seen; mkdir -p var; test ! -e refuse ;;
  *serve*) touch readyz; exec serve --port "$6" ;;
esac
"""
SERVER = """#!/usr/bin/env python3
import http.server, sys
handler = http.server.SimpleHTTPRequestHandler
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), handler).serve_forever()
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The present folder: one commit, an .env with a secret, and the stand-in on PATH."""
    folder = tmp_path / "repository"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "serve").write_text(SERVER)
    (programs / "uv").write_text(UV)
    for program in programs.iterdir():
        program.chmod(0o755)
    folder.mkdir()
    (folder / "README.md").write_text("committed\n")
    (folder / ".gitignore").write_text(".env\nvar/\n")
    git(folder, "init", "--quiet")
    commit(folder)
    (folder / ".env").write_text("ACCESS_TOKEN=ours\n")
    (folder / "README.md").write_text("not committed\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    yield folder
    for number in ("1", "2", "3"):
        called("stop", number)


def test_it_shows_what_is_committed_and_ends(repository: Path) -> None:
    url = started(1)
    assert _page(f"{url}/README.md") == "committed\n"
    assert called("list").stdout.startswith(f"1 {url} until ")
    assert called("stop", "1").stdout == "preview 1 ended\n"
    with pytest.raises(OSError, match="refused"):
        _page(url)
    assert not (repository / "var/previews/1").exists()
    assert "previews" not in git(repository, "worktree", "list")
    assert called("stop", "1").stdout == "there is no such preview\n"


def test_it_sees_no_setting_of_whoever_starts_it(repository: Path) -> None:
    started(1)
    tree = repository / "var/previews/1/tree"
    assert "production" not in (tree / "seen").read_text()
    assert not (tree / ".env").exists()


@pytest.mark.usefixtures("repository")
def test_another_start_takes_its_place() -> None:
    first, second = started(1), started(1)
    assert _page(f"{second}/README.md") == "committed\n"
    assert called("list").stdout.count("\n") == 1
    with pytest.raises(OSError, match="refused"):
        _page(first)


def test_the_sweep_ends_those_whose_time_is_over(repository: Path) -> None:
    started(1, "--hours", "0")
    still = started(2, "--hours", "3")
    (repository / "var/previews/3").mkdir()  # was killed while it was made
    assert called("sweep").stdout == "preview 1 ended\npreview 3 ended\n"
    assert called("list").stdout.startswith(f"2 {still} ")


def test_a_process_that_is_not_ours_is_left_alone(repository: Path) -> None:
    folder = repository / "var/previews/1"
    folder.mkdir(parents=True)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = {"number": 1, "url": "http://127.0.0.1:9", "expires": soon, "pid": os.getpid()}
    (folder / "preview.json").write_text(json.dumps(made))
    assert called("list").stdout == ""
    assert called("stop", "1").returncode == 0  # and this process is still here


def test_what_cannot_be_set_up_leaves_nothing_behind(repository: Path) -> None:
    (repository / "refuse").touch()
    git(repository, "add", "refuse")
    git(repository, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "B")
    assert "just setup failed" in called("start", "1").stderr
    assert "nothing-like-it" in called("start", "1", "--ref", "nothing-like-it").stderr
    assert not list((repository / "var/previews").iterdir())


def started(number: int, *options: str) -> str:
    done = called("start", str(number), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  this interpreter and a script of this repository
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  our own address
        return response.read().decode()
