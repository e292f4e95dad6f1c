"""A project made from the kit as it was at an earlier commit comes along to the present kit.

Needs the history of this repository; a shallow clone skips.
"""

import pytest

from greenlane.answers import resolve
from greenlane.console import Console
from greenlane.edits import edit
from greenlane.errors import GreenlaneError
from greenlane.git import GitError, run_git
from greenlane.kit import Kit, built_in_root, load_kit
from greenlane.project import create
from greenlane.render import render
from greenlane.setup import set_up_project
from greenlane.trials import kit_at, try_updates
from owner import Project

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


@pytest.fixture(scope="module")
def current() -> Kit:
    return load_kit(built_in_root())


@pytest.fixture(scope="module")
def earliest(current: Kit, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The oldest commit whose kit can be loaded and has the preset."""
    words = ("log", "--first-parent", "--reverse", "--format=%H", "--", ".")
    try:
        commits = run_git(current.root, *words).decode().split()[:-1]
    except GitError:
        pytest.skip("this is no git repository")
    for commit in commits:
        try:
            kit = kit_at(current.root, commit, tmp_path_factory.mktemp("kit"))
            resolve(kit, preset=PRESET)
        except GreenlaneError:
            continue
        return commit
    pytest.skip("no earlier commit has a kit that loads")


def test_projects_of_an_earlier_kit_come_along(earliest: str, current: Kit) -> None:
    done = list(try_updates(current, [earliest]))
    assert f"{earliest}, preset {PRESET}" in {trial.name for trial in done}
    assert [(trial.outcome, trial.notes) for trial in done] == [("ok", ())] * len(done)


@pytest.mark.slow
def test_and_its_own_checks_pass(project: Project, earliest: str, current: Kit) -> None:
    earlier = kit_at(current.root, earliest, project.path.parent / "earlier")
    answers = resolve(earlier, preset=PRESET, name="evolved")
    create(earlier, answers, project.path)
    edit(project.path, render(earlier, answers))
    project.write("app/own.py", OWN)
    project.write("tests/unit/test_own.py", OWN_TEST)
    project.commit()
    assert "conflict" not in project.update(current).values()
    project.commit("Update")
    report = set_up_project(project.path, Console())
    if any(step.outcome == "skipped" for step in report.steps):
        pytest.skip(f"this machine cannot set it up: {report.instructions}")
    red = [result for result in (*report.steps, *report.gates) if result.outcome != "ok"]
    assert report.green, red
