"""greenlane as a person runs it: a command in a folder, with a small kit and a pretended uv."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KIT = Path(__file__).parent / "kit"
REPOSITORY = Path(__file__).parents[2]
REAL_CACHE = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache/uv")

# Does what the project's commands would do, at once. FAIL names the call that fails, SAY what it
# says then.
_UV = """\
#!/bin/sh
echo "$*" >> "$UV_CALLS"
env > "$UV_CALLS.env"
if [ "$*" = "$UV_FAIL" ]; then echo "first line"; echo "$UV_SAY" >&2; exit 2; fi
if [ "$*" = "$UV_HANG" ]; then exec sleep 60; fi
case "$*" in
lock) echo "version = 1" > uv.lock ;;
"run just --dump --dump-format json")
  echo '{"recipes": {"check": {"dependencies": [{"recipe": "lint"}, {"recipe": "unit"}]}}}' ;;
"run just serve"*) echo "serving $*"; [ -z "$UV_SERVE_FOREVER" ] || exec sleep 60 ;;
esac
"""


@dataclass
class Greenlane:
    """Runs commands in `folder`; `env` is what they see beside a plain environment."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "VIRTUAL_ENV"}
        }
        return {**plain, "TERM": "xterm-256color", **self.env}

    def run(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "greenlane", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **options,
        )

    def ok(self, *arguments: object) -> str:
        """The output of a command that succeeds and complains about nothing."""
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def document(self, *arguments: object, status: int = 0) -> Any:
        """The one JSON document that a command prints on stdout."""
        done = self.run(*arguments, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def fails(self, *arguments: object, status: int = 2) -> tuple[str, str]:
        """Message and hint of a command that fails in order: two lines, no traceback."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (status, ""), done.stdout + done.stderr
        message, hint = done.stderr.splitlines()
        assert message.startswith("error: ")
        assert hint.startswith("hint: ")
        return message.removeprefix("error: "), hint.removeprefix("hint: ")


@pytest.fixture
def greenlane(tmp_path: Path) -> Greenlane:
    folder = tmp_path / "here"
    folder.mkdir()
    return Greenlane(folder)


@pytest.fixture
def small_kit() -> Path:
    return KIT


@dataclass
class FakeUv:
    """A uv on PATH that keeps a list of its calls and fails when told to."""

    greenlane: Greenlane
    log: Path

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    @property
    def environment(self) -> dict[str, str]:
        """What the last call saw."""
        lines = Path(f"{self.log}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def fail(self, call: str, saying: str = "it broke") -> None:
        self.greenlane.env.update(UV_FAIL=call, UV_SAY=saying)


@pytest.fixture
def uv(greenlane: Greenlane, tmp_path: Path) -> FakeUv:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "uv").write_text(_UV)
    (folder / "uv").chmod(0o755)
    fake = FakeUv(greenlane, tmp_path / "calls")
    greenlane.env.update(
        PATH=f"{folder}:{os.environ['PATH']}",
        UV_CALLS=str(fake.log),
        UV_FAIL="",
        UV_SAY="",
        UV_HANG="",
    )
    return fake
