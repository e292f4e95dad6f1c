"""Follows CONTRIBUTING.md literally, in a copy of the clone: its files and its commands."""

import shutil
import sys
from pathlib import Path

import pytest

from literate import Command, FileBlock, Step, steps
from made import run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# Of a whole run of the fast tests inside the fast tests, the page's own words are proof enough.
NOT_RUN_HERE = {("make", "test"), (".venv/bin/pre-commit", "run", "--all-files")}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the clone whose `.venv` is this environment, with the copy's generator in it."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("generator", "templates", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    scripts = folder / ".venv/bin"
    scripts.mkdir(parents=True)
    for name, arguments in (("python", ""), ("greenlane", " -m greenlane")):
        script = scripts / name
        path = f"{folder}/generator"
        script.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable}{arguments} "$@"\n')
        script.chmod(0o755)
    return folder


def section(title: str) -> str:
    """The part of the page under the heading `## title`. A heading follows an empty line."""
    _, _, after = PAGE.partition(f"\n\n## {title}\n")
    assert after, f"CONTRIBUTING.md has no section {title!r}"
    return after.partition("\n\n## ")[0]


def follow(page_steps: list[Step], clone: Path, scratch: Path, *, quickly: bool) -> list[str]:
    """Do each step; returns what each command printed. /tmp of the page is `scratch` here.

    `quickly` leaves out what takes minutes: the set-up of what is rendered, and a run of tests.
    """
    printed = []
    for step in page_steps:
        if isinstance(step, FileBlock):
            path = clone / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((path.read_text() if step.append else "") + step.text)
            continue
        words = [word.replace("/tmp/", f"{scratch}/") for word in step.words]
        if quickly and "pytest" in words:
            continue
        words = [word for word in words if not (quickly and word == "--setup")]
        printed.append(run(clone, *words))
    return printed


@pytest.mark.parametrize("quickly", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_adding_a_module(clone: Path, tmp_path: Path, quickly: bool) -> None:
    """Slowly, nothing is left out: the module is installed and passes every gate."""
    adding = steps(section("Add a module to the kit"))
    files = [step for step in adding if isinstance(step, FileBlock)]
    assert all(file.path.startswith("templates/modules/robots/") for file in files), (
        "adding a module edits something else"
    )
    printed = follow(adding, clone, tmp_path, quickly=quickly)
    assert "test_robots.py" in printed[0], "`kit new-module` wrote no test"
    assert "robots" in printed[1], "`greenlane list` does not show it"
    assert "app.robots" in printed[2] or "app/robots" in printed[2]
    made = tmp_path / "try-robots"
    assert '"app.robots",' in (made / "app/features.py").read_text()
    assert "## Search engines" in (made / "README.md").read_text()
    assert "ROBOTS_ALLOWED=false" in (made / ".env.example").read_text()

    asking = steps(section("Let a module ask something"))
    follow(asking, clone, tmp_path, quickly=quickly)
    assert "ROBOTS_ALLOWED=true" in (tmp_path / "try-answer/.env.example").read_text()


def test_every_command_of_the_page_is_known() -> None:
    followed = steps(section("Add a module to the kit")) + steps(
        section("Let a module ask something")
    )
    others = {
        step.words for step in steps(PAGE) if isinstance(step, Command) and step not in followed
    }
    assert others == NOT_RUN_HERE


def test_a_step_that_fails_is_seen(clone: Path, tmp_path: Path) -> None:
    broken: list[Step] = [
        FileBlock("templates/modules/broken/module.yml", "title: Broken\n", append=False),
        Command((".venv/bin/greenlane", "list")),
    ]
    with pytest.raises(AssertionError, match="greenlane list"):
        follow(broken, clone, tmp_path, quickly=True)
