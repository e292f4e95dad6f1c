"""A project made from the kit as it was at an earlier commit comes along to the present kit.

Needs the history of this repository; a shallow clone skips.
"""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenlane.answers import resolve
from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.evolution import Evolved
from greenlane.kit import Kit, built_in_root, load_kit
from greenlane.project import create
from greenlane.render import render
from greenlane.setup import set_up_project
from greenlane.update import update
from owner import Project

REPOSITORY = Path(__file__).parents[2]
PRESET = "freelancer"
OWN = '''\
"""Something of our own."""


def double(number: int) -> int:
    """Twice the number."""
    return number * 2
'''
OWN_TEST = """\
from app.own import double


def test_double() -> None:
    assert double(2) == 4
"""
PULL_REQUEST = ".github/pull_request_template.md"
SECTION = "\n## Ours\n\nRun it on Mondays.\n"


@pytest.fixture(scope="module")
def current() -> Kit:
    try:
        kit = load_kit(built_in_root())
        resolve(kit, preset=PRESET)
    except GreenlaneError as error:
        pytest.skip(f"no complete kit here: {error.message}")
    return kit


@pytest.fixture(scope="module")
def earlier(current: Kit, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """The kit at the oldest commit at which it could be loaded."""
    for commit in commits():
        folder = tmp_path_factory.mktemp("kit")
        archive = git("archive", commit, "templates")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        try:
            kit = load_kit(folder / "templates")
            resolve(kit, preset=PRESET)
        except GreenlaneError:
            continue
        return kit
    pytest.skip("no earlier commit has a kit that loads")


def commits() -> Iterator[str]:
    """Commits that changed the kit, the oldest first, without the latest."""
    try:
        told = git("log", "--first-parent", "--reverse", "--format=%H", "--", "templates")
    except subprocess.CalledProcessError:
        pytest.skip("this is no git repository")
    yield from told.decode().split()[:-1]


def git(*arguments: str) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True
    ).stdout


@pytest.fixture
def lived_in(project: Project, earlier: Kit) -> Project:
    """A project of the earlier kit with the edits of a user."""
    create(earlier, resolve(earlier, preset=PRESET, name="evolved"), project.path)
    project.write("README.md", project.read("README.md") + SECTION)
    project.write("app/own.py", OWN)
    project.write("tests/unit/test_own.py", OWN_TEST)
    project.write(".env.example", "# Ours\nOWN_SETTING=1\n" + project.read(".env.example"))
    project.write(".gitignore", project.read(".gitignore") + "/ours/\n")
    project.git("rm", "--quiet", PULL_REQUEST)
    project.git("mv", "AGENTS.md", "AI.md")
    project.commit()
    return project


def test_a_project_of_an_earlier_kit_comes_along(lived_in: Project, current: Kit) -> None:
    outcomes = lived_in.update(current)
    assert "conflict" not in outcomes.values(), outcomes
    assert lived_in.read("README.md").endswith(SECTION)
    assert lived_in.read("app/own.py") == OWN
    assert lived_in.read(".env.example").startswith("# Ours\nOWN_SETTING=1\n")
    assert "/ours/\n" in lived_in.read(".gitignore")
    assert not lived_in.exists(PULL_REQUEST)
    assert not lived_in.exists("AGENTS.md")
    assert lived_in.exists("AI.md")
    lived_in.commit("Update")
    with update(lived_in.path, current) as plan:
        assert not plan.changes_anything
        assert isinstance(plan.evolved, Evolved)
        pristine = render(current, plan.evolved.answers)
    touched = {"README.md", ".env.example", ".gitignore", PULL_REQUEST, "AGENTS.md"}
    for path in pristine.keys() - touched:
        assert (lived_in.path / path).read_bytes() == pristine[path].content, path


@pytest.mark.slow
def test_and_its_own_checks_pass(lived_in: Project, current: Kit) -> None:
    lived_in.update(current)
    lived_in.commit("Update")
    report = set_up_project(lived_in.path, Console())
    if any(step.outcome == "skipped" for step in report.steps):
        pytest.skip(f"this machine cannot set it up: {report.instructions}")
    red = [result for result in (*report.steps, *report.gates) if result.outcome != "ok"]
    assert report.green, red
