"""Follows CONTRIBUTING.md literally, in a copy of the clone: its files and its commands."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from literate import Command, FileBlock, Step, steps
from workflow_steps import clean_environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# Of a whole run of the fast tests inside the fast tests, the page's own words are proof enough.
NOT_RUN_HERE = {("make", "test"), (".venv/bin/pre-commit", "run", "--all-files")}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the clone whose `.venv` is this environment, with the copy's generator in it."""
    folder = tmp_path_factory.mktemp("clone")
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


def follow(
    page_steps: list[Step], clone: Path, scratch: Path, *, skip_setup: bool
) -> Iterator[str]:
    """Do each step; yields what each command printed. /tmp of the page is `scratch` here."""
    for step in page_steps:
        if isinstance(step, FileBlock):
            path = clone / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((path.read_text() if step.append else "") + step.text)
            continue
        words = [word.replace("/tmp/", f"{scratch}/") for word in step.words]
        if skip_setup:
            words = [word for word in words if word != "--setup"]
        done = subprocess.run(
            words,
            cwd=clone,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {step}\n{done.stdout[-4000:]}"
        yield done.stdout


def test_adding_a_module(clone: Path, tmp_path: Path) -> None:
    adding = steps(section("Add a module to the kit"))
    files = [step for step in adding if isinstance(step, FileBlock)]
    assert all(file.path.startswith("templates/modules/robots/") for file in files), (
        "adding a module edits something else"
    )
    printed = list(follow(adding, clone, tmp_path, skip_setup=True))
    assert "robots" in printed[0], "`greenlane list` does not show it"
    assert "app.robots" in printed[1] or "app/robots" in printed[1]
    made = tmp_path / "try-robots"
    assert '"app.robots",' in (made / "app/features.py").read_text()
    assert "## Search engines" in (made / "README.md").read_text()
    assert "ROBOTS_ALLOWED=false" in (made / ".env.example").read_text()

    asking = steps(section("Let a module ask something"))
    list(follow(asking, clone, tmp_path, skip_setup=True))
    assert "ROBOTS_ALLOWED=true" in (tmp_path / "try-answer/.env.example").read_text()


@pytest.mark.slow
def test_the_new_module_passes_every_gate(clone: Path, tmp_path: Path) -> None:
    adding = steps(section("Add a module to the kit"))
    *_, last = [step for step in adding if isinstance(step, Command)]
    assert "--setup" in last.words
    files: list[Step] = [step for step in adding if isinstance(step, FileBlock)]
    list(follow([*files, last], clone, tmp_path, skip_setup=False))


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
        list(follow(broken, clone, tmp_path, skip_setup=True))
    shutil.rmtree(clone / "templates/modules/broken")
