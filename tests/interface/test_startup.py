"""greenlane answers at once: what is not needed is not imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interface.conftest import Greenlane

HEAVY = {"jinja2", "yaml", "questionary", "prompt_toolkit", "uv", "tarfile", "asyncio"}


def modules_after(arguments: list[str], folder: Path) -> set[str]:
    """The top-level modules that a command has imported when it ends."""
    code = (
        "import sys, json\nfrom greenlane.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as done: assert not done.code, done.code\n"
        "sys.stderr.write(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    return set(json.loads(done.stderr))


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["new", "--help"], ["completion", "bash"]]
)
def test_light_commands_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    assert modules_after(arguments, tmp_path) & HEAVY == set()


def test_listing_needs_no_templates_and_no_prompts(tmp_path: Path, small_kit: Path) -> None:
    heavy = modules_after(["list", "--kit", str(small_kit)], tmp_path) & HEAVY
    assert heavy <= {"yaml"}


def test_new_needs_no_prompts(tmp_path: Path, small_kit: Path) -> None:
    heavy = modules_after(["new", "shop", "--yes", "--kit", str(small_kit)], tmp_path) & HEAVY
    assert not heavy & {"questionary", "prompt_toolkit", "asyncio"}


def test_version(greenlane: Greenlane) -> None:
    from greenlane import __version__

    assert greenlane.ok("--version") == f"greenlane {__version__}\n"
