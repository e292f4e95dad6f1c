"""`--abort`, and what is left when an update cannot be finished."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from greenlane import apply as applying
from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from greenlane.journal import desk_of
from greenlane.kit import Kit
from greenlane.repository import open_repository
from owner import KIT, NUMBERED, Project

MAIN = "base/files/app/main.py"


@pytest.fixture
def busy(created: Project) -> Project:
    """A project with edits, deletions, a link, staged, unstaged and untracked work."""
    created.edit("app/main.py", "line 10\n", "mine\n")
    created.git("rm", "--quiet", "app/old.py")
    (created.path / "link").symlink_to("tool")
    created.commit()
    created.write("staged.txt", "staged\n")
    created.git("add", "staged.txt")
    created.edit("justfile", "echo checked", "echo unstaged")
    created.write("untracked.txt", "untracked\n")
    created.write("var/ignored.txt", "ignored\n")
    return created


def newer(project: Project) -> Kit:
    """Conflicts, new and deleted files, a new mode, a file in a new folder."""
    return project.kit(
        "1.1.0",
        {
            MAIN: NUMBERED.replace("line 10\n", "theirs\n"),
            "base/files/app/old.py": "new\n",
            "base/files/app/desk2.py": "D = 2\n",
            "base/files/docs/deep/NEW.md": "new\n",
            "base/files/tool": "no longer a script\n",
            "base/files/.env.example": None,
        },
    )


def test_abort_restores_tree_index_and_untracked_files_exactly(busy: Project) -> None:
    before = busy.state()
    outcomes = busy.update(newer(busy))
    assert outcomes == {
        ".env.example": "removed",
        "app/desk2.py": "added",
        "app/main.py": "conflict",
        "app/old.py": "declined",
        "docs/deep/NEW.md": "added",
        "tool": "updated",
    }
    assert busy.state() != before
    assert recipes.abort(busy.path).command == "update"
    assert busy.state() == before
    assert not busy.exists("docs")
    assert not (busy.path / ".git/MERGE_MSG").exists()


def test_update_and_abort_can_be_repeated(busy: Project) -> None:
    before = busy.state()
    after = []
    for _ in range(3):
        busy.update(newer(busy))
        after.append(busy.state())
        recipes.abort(busy.path)
        assert busy.state() == before
    assert after[0] == after[1] == after[2]


def test_abort_after_half_a_resolution(busy: Project) -> None:
    before = busy.state()
    busy.update(newer(busy))
    busy.write("app/main.py", "half resolved\n")
    busy.git("add", "app/main.py")
    recipes.abort(busy.path)
    assert busy.state() == before


def test_abort_leaves_the_branch_that_was_made(busy: Project) -> None:
    before = busy.state()
    with recipes.update(busy.path, newer(busy)) as plan:
        plan.apply(branch="up")
    assert busy.git("branch", "--show-current") == "up"
    recipes.abort(busy.path)
    assert busy.state() == before
    assert busy.git("branch", "--format=%(refname:short)") == "main"


def test_abort_on_a_detached_head(busy: Project) -> None:
    busy.git("checkout", "--quiet", "--detach")
    head = (busy.path / ".git/HEAD").read_text()
    with recipes.update(busy.path, newer(busy)) as plan:
        plan.apply(branch="up")
    recipes.abort(busy.path)
    assert (busy.path / ".git/HEAD").read_text() == head
    assert busy.git("branch", "--list", "up") == ""


def test_abort_refuses_to_lose_later_work(busy: Project) -> None:
    busy.update(newer(busy))
    busy.write("app/desk2.py", "D = 'mine'\n")
    with pytest.raises(GreenlaneError, match=r"would lose it: app/desk2\.py") as caught:
        recipes.abort(busy.path)
    assert "git stash" in caught.value.hint
    assert busy.read("app/desk2.py") == "D = 'mine'\n"


def test_nothing_to_abort(created: Project) -> None:
    with pytest.raises(GreenlaneError, match="no update to abort"):
        recipes.abort(created.path)
    created.update(created.kit("1.1.0", {MAIN: "new\n"}))
    created.commit()
    with pytest.raises(GreenlaneError, match="no update to abort") as caught:
        recipes.abort(created.path)
    assert "git revert" in caught.value.hint


def test_git_reset_gives_an_update_up_as_well(created: Project) -> None:
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    created.update(kit)
    created.git("reset", "--hard", "--quiet")
    assert created.update(kit) == {"app/main.py": "updated"}


def test_the_next_update_waits_for_the_commit_of_the_last(created: Project) -> None:
    created.update(created.kit("1.1.0", {MAIN: "new\n"}))
    with pytest.raises(GreenlaneError, match="not committed yet") as caught:
        created.update(created.kit("1.2.0", {MAIN: "newer\n"}))
    assert "--abort" in caught.value.hint


def test_two_commands_at_once(created: Project) -> None:
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    before = created.state()
    with (
        desk_of(open_repository(created.path)),
        pytest.raises(GreenlaneError, match="Another greenlane command"),
    ):
        created.update(kit)
    assert created.state() == before


def test_a_command_that_is_about_to_end_is_waited_for(created: Project) -> None:
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    with desk_of(open_repository(created.path)):
        waiting = threading.Thread(target=created.update, args=(kit,))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join()
    assert created.read("app/main.py") == "new\n"


def test_a_git_command_at_the_same_time(created: Project) -> None:
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    before = created.state()
    lock = created.path / ".git/index.lock"
    lock.write_bytes(b"git's own")
    with pytest.raises(GreenlaneError, match="Another git command"):
        created.update(kit)
    assert lock.read_bytes() == b"git's own"
    lock.unlink()
    assert created.state() == before
    created.update(kit)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(busy: Project) -> None:
    before = busy.state()
    (busy.path / "app").chmod(0o555)
    with pytest.raises(GreenlaneError):
        busy.update(newer(busy))
    (busy.path / "app").chmod(0o755)
    assert busy.state() == before


@pytest.mark.parametrize("step", ["read-tree", "update-index", "update-ref", "symbolic-ref"])
def test_a_failure_half_way_is_undone(
    busy: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    kit = newer(busy)
    before = busy.state()
    failing_git(tmp_path, monkeypatch, step)
    with (
        recipes.update(busy.path, kit) as plan,
        pytest.raises(GreenlaneError, match="git failed: on purpose"),
    ):
        plan.apply(branch="up")
    monkeypatch.undo()
    assert busy.state() == before
    assert busy.git("branch", "--list", "up") == ""
    busy.update(kit)


def failing_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A git that does the step and then, the first time, reports failure."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "git"
    script.write_text(
        f'#!/bin/sh\n{shutil.which("git")} "$@" || exit\n'
        f'for word in "$@"; do if [ "$word" = {step} ] && mkdir {folder}/once 2>/dev/null; then\n'
        "echo on purpose >&2; exit 1; fi; done\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_work_done_between_a_crash_and_the_next_command_is_saved(
    busy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = busy.state()
    kit = newer(busy)

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    # As if the process had died after writing the files: no clean-up runs.
    monkeypatch.setattr(applying, "write_synced", kill_after_files(applying.write_synced, kill))
    monkeypatch.setattr(applying, "roll_back", kill)
    with recipes.update(busy.path, kit) as plan, pytest.raises(Killed):
        plan.apply()
    monkeypatch.undo()
    assert busy.exists("docs/deep/NEW.md")
    busy.write("app/desk2.py", "written after the crash\n")
    with recipes.update(busy.path, kit) as plan:
        assert plan.recovered.startswith("An interrupted update was undone.")
        saved = list((busy.path / ".git/greenlane").glob("saved-*/app/desk2.py"))
    assert [file.read_text() for file in saved] == ["written after the crash\n"]
    assert busy.state() == before


def kill_after_files(write: object, kill: object) -> object:
    def wrapped(path: Path, content: bytes) -> None:
        if path.name == "MERGE_MSG":
            kill()  # type: ignore[operator]
        write(path, content)  # type: ignore[operator]

    return wrapped


def test_the_kit_may_not_write_through_a_link_of_the_owner(
    created: Project, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (created.path / "docs").symlink_to(outside)
    kit = created.kit("1.1.0", {"base/files/docs/NEW.md": KIT[MAIN]})
    with pytest.raises(GreenlaneError, match="not tracked by git: docs"):
        created.update(kit)
    created.commit()
    outcomes = created.update(kit)
    assert list(outside.iterdir()) == []
    assert "conflict" in outcomes.values()
