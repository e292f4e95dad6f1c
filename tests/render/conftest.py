"""Fixtures over the built-in kit."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import github_parser
from greenlane.combinations import everything
from greenlane.kit import Kit, load_kit
from greenlane.project import create
from greenlane.render import render
from made import requirement, run
from osv import serving
from rendering import write
from workflow_steps import clean_environment


@pytest.fixture(scope="session")
def kit() -> Kit:
    return load_kit()


@pytest.fixture(scope="session")
def rendered(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything rendered. Shared: a test copies what it wants to change."""
    app = sorted(kit.apps)[0]
    answers = everything(kit, app, "code_owner=@acme/ml")
    return write(render(kit, answers), tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="session")
def repository(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of all parts, locked and committed, as somebody would push it."""
    app = sorted(kit.apps)[0]
    folder = tmp_path_factory.mktemp("pushed") / "my-app"
    created = create(kit, everything(kit, app), folder)
    assert created.commit_id, created.skipped
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (
        ["uv", "lock", "--quiet"],
        ["git", "add", "uv.lock"],
        ["git", *identity, "commit", "--quiet", "-m", "Lock"],
    ):
        subprocess.run(command, cwd=folder, env=clean_environment(), check=True)
    return folder


@pytest.fixture(scope="session")
def osv() -> Iterator[str]:
    """The address of a database of vulnerabilities that knows of none here."""
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def just() -> str:
    """The program that runs recipes, of the version that repositories have."""
    which = ("python", "-c", "import shutil; print(shutil.which('just'))")
    command = ("uv", "run", "--no-project", "--quiet", "--with", requirement("rust-just"))
    return run(Path("/"), *command, *which).strip()


@pytest.fixture(scope="session")
def parser() -> Path:
    """GitHub's reader of workflows."""
    return github_parser.made()
