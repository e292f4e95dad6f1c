"""Which code is tried on the new schema, and what is said when it fails. A stand-in for uv runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import commit, environment, git

SCRIPT = Path(__file__).parents[2] / "ci/old_code.py"
# Notes where it was called and for what; `old` and `new` say how the tests and migrations end.
UV = """#!/bin/sh
echo "$(cat code) $3 $DATABASE_URL$NEW_SCHEMA" >> "$NOTES"
case "$3" in
  app) cat code >> "${DATABASE_URL#sqlite+aiosqlite:///}"; exit "$(cat migrates)" ;;
  pytest) cat "$NEW_SCHEMA" >> "$NOTES"; exit "$(cat passes)" ;;
esac
"""
MIGRATION = "app/tickets/migrations/0002_more.py"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit on main, and a branch `work` with other code; the stand-in is on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "uv").write_text(UV)
    (programs / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    folder = tmp_path / "repository"
    write(folder, ".gitignore", "var/\n")
    write(folder, "code", "old\n")
    write(folder, "passes", "0\n")
    write(folder, "migrates", "0\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    git(folder, "switch", "--quiet", "--create", "work")
    write(folder, "code", "new\n")
    return folder


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def old_code(folder: Path, base: str = "main") -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603  this interpreter and a script of this repository
        [sys.executable, str(SCRIPT), "--base", base],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    # Nothing of it stays.
    assert not (folder / "var/old-code").exists()
    assert git(folder, "worktree", "list").count("\n") == 1
    return done.returncode, done.stdout + done.stderr


def notes(folder: Path) -> list[str]:
    lines = (folder.parent / "notes").read_text().splitlines()
    return [line.replace(f"{folder}/var/old-code/", "") for line in lines]


def test_the_tests_of_then_run_on_the_old_database_migrated_as_of_now(repository: Path) -> None:
    write(repository, MIGRATION, "new\n")
    commit(repository)
    code, said = old_code(repository)
    assert code == 0, said
    assert MIGRATION in said
    assert "the code before works on it" in said
    assert notes(repository) == [
        "old app sqlite+aiosqlite:///schema.db",
        "new app sqlite+aiosqlite:///schema.db",
        "old pytest schema.db",
        "old",
        "new",
    ]


@pytest.mark.parametrize("name", ["README.md", "app/tickets/models.py", "tests/migrations/x.py"])
def test_where_no_migration_changed_nothing_is_tried(repository: Path, name: str) -> None:
    write(repository, name, "new\n")
    commit(repository)
    code, said = old_code(repository)
    assert (code, "no migration has changed" in said) == (0, True), said
    assert not (repository.parent / "notes").exists()


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_a_new_branch_has_no_code_before(repository: Path, base: str) -> None:
    write(repository, MIGRATION, "new\n")
    assert old_code(repository, base) == (0, "there is no code before this: there is no base\n")


def test_a_migration_that_is_not_committed_counts(repository: Path) -> None:
    write(repository, MIGRATION, "new\n")
    assert "the code before works on it" in old_code(repository)[1]


def test_the_last_release_is_the_code_before_whatever_came_since(repository: Path) -> None:
    git(repository, "switch", "--quiet", "main")
    git(repository, "tag", "v1.0.0")
    write(repository, MIGRATION, "new\n")
    write(repository, "passes", "1\n")  # were this one tried, it would fail
    commit(repository)
    git(repository, "switch", "--quiet", "--create", "more")
    write(repository, "README.md", "new\n")
    commit(repository)
    code, said = old_code(repository)
    assert (code, MIGRATION in said) == (0, True), said
    git(repository, "tag", "v1.1.0", "main")
    assert "no migration has changed" in old_code(repository)[1]


@pytest.mark.parametrize(
    ("file", "ends", "said"),
    [
        ("passes", "1", "take the old away in a later release"),
        ("passes", "5", "finds them by its name"),
        ("migrates", "1", "`app db upgrade` as of"),
    ],
)
def test_what_fails_says_what_to_do(repository: Path, file: str, ends: str, said: str) -> None:
    git(repository, "switch", "--quiet", "main")
    write(repository, file, f"{ends}\n")
    commit(repository)
    git(repository, "switch", "--quiet", "--create", "more")
    write(repository, MIGRATION, "new\n")
    code, printed = old_code(repository)
    assert code == 1
    assert said in printed


def test_a_base_that_is_not_here_is_an_error(repository: Path) -> None:
    code, said = old_code(repository, "origin/main")
    assert code == 1
    assert "fetch it, or name another commit" in said
