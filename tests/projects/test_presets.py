"""Every preset, and all parts together: written, set up and checked as a person would do it.

Slow: packages are installed, the small model is trained and every gate runs, for each of them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from made import KIT, LARGE_MODEL, chosen, modules_of, new, run, status
from workflow_steps import clean_environment

pytestmark = pytest.mark.slow

AUTHOR = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
# `warn`, `warning:`, `DeprecationWarning` and the like.
WARNING = re.compile(r"\bwarn(ing)?s?\b|Warning\b", re.IGNORECASE)
# Of uv, about a registry that does not date a new file: the cool-down leaves that file out.
UNDATED = re.compile(r"^warning: `\S+` is missing an upload date, but user provided: \S+$")


# The freelancer's is taken through every gate by `start`, below.
@pytest.mark.parametrize("choice", [*sorted({*KIT.presets} - {"freelancer"}), LARGE_MODEL])
def test_every_gate_is_green(choice: str, tmp_path: Path) -> None:
    is_green(tmp_path / "my-app", choice)


# Some minutes each.
@pytest.mark.weekly
@pytest.mark.parametrize("choice", chosen(), ids=lambda it: " + ".join(it) or "nothing")
def test_every_gate_is_green_wherever_it_runs(choice: tuple[str, ...], tmp_path: Path) -> None:
    # The presets take turns, so that each meets every place and every CI.
    number = chosen().index(choice)
    presets = sorted(KIT.presets)
    preset = presets[(number + number // len(presets)) % len(presets)]
    is_green(tmp_path / "my-app", preset, modules_of(preset, choice))


def is_green(folder: Path, choice: str, modules: Sequence[str] = ()) -> None:
    new(choice, folder, modules=modules)
    assert status(folder) == ""

    printed = run(folder, "uv", "run", "just", "setup")
    assert status(folder) in ("", "?? uv.lock\n"), "set-up changes files that git knows"
    run(folder, "git", "add", "-A")
    run(folder, *AUTHOR, "commit", "--quiet", "--message", "Lock", "--allow-empty")

    checked = run(folder, "uv", "run", "just", "check")
    # With a large model, set-up tells of every call to it that fails: here no model answers.
    assert warnings_in(checked if choice == LARGE_MODEL else printed + checked) == []
    assert status(folder) == "", "a gate leaves something behind"


def warnings_in(printed: str) -> list[str]:
    lines = printed.splitlines()
    return [line for line in lines if WARNING.search(line) and not UNDATED.search(line)]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("DeprecationWarning: old", True),
        ("warning: `VIRTUAL_ENV` does not match", True),
        ("npm WARN deprecated", True),
        ("1 passed, 2 warnings in 3s", True),
        ("4 passed in 3s", False),
        ("warning: `a-1.whl` is missing an upload date, but user provided: 2026-11-14", False),
    ],
)
def test_a_warning_is_seen(line: str, is_one: bool) -> None:
    assert bool(warnings_in(f"one\n{line}\n")) is is_one


def test_start_ends_green_and_clean(tmp_path: Path) -> None:
    """`greenlane start` of the freelancer's preset: set up, every gate run, the lock committed."""
    folder = tmp_path / "my-app"
    options = ["--dest", str(folder), "--no-serve", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "greenlane", "start", "my-app", *options],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["set_up"]["green"] is True, done.stdout
    assert status(folder) == ""
    assert run(folder, "git", "ls-files", "uv.lock") == "uv.lock\n"


def test_a_gate_can_fail(tmp_path: Path) -> None:
    folder = tmp_path / "my-app"
    new("minimal", folder)
    run(folder, "uv", "run", "just", "setup")
    for gate, path, old, planted in (
        ("format", "app/main.py", "import ", "import  "),
        ("lint", "app/main.py", "import importlib\n", "import importlib\nimport uuid\n"),
        ("types", "app/main.py", "def create_app(", "def create_app(planted: Nothing, "),
        ("unit", "app/core/health.py", '"status": "alive"', '"status": "undead"'),
        ("contract", "app/core/health.py", '"/healthz"', '"/health"'),
    ):
        text = (folder / path).read_text()
        assert old in text, f"{path} no longer has {old!r}: plant another mistake"
        run(folder, "uv", "run", "just", gate)
        (folder / path).write_text(text.replace(old, planted, 1))
        with pytest.raises(AssertionError, match=f"recipe `{gate}` failed"):
            run(folder, "uv", "run", "just", gate)
        (folder / path).write_text(text)
