"""Clones by address, and branches pushed to origin."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fleet.conftest import BRANCH, NEW, Fleet
from owner import Project


@pytest.fixture
def origin(fleet: Fleet, tmp_path: Path) -> Project:
    """A bare repository that `clean` was pushed to."""
    bare = Project(tmp_path / "origin")
    project = fleet.repositories["clean"]
    subprocess.run(["git", "clone", "-q", "--bare", project.path, bare.path], check=True)
    project.git("remote", "add", "origin", str(bare.path))
    return bare


def tip(repository: Project) -> str:
    return repository.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")


def test_pushed(fleet: Fleet, origin: Project) -> None:
    result = fleet.update("clean", push=True)
    assert (result["state"], result["pushed"]) == ("updated", True)
    assert tip(origin) == result["commit"] != ""


def test_a_branch_of_an_earlier_run_is_replaced(fleet: Fleet, origin: Project) -> None:
    first = fleet.update("clean", push=True)
    newer = fleet.kit("1.1.0", {NEW: "newer\n"})
    second = fleet.update("clean", kit=newer, push=True)
    assert second["state"] == "updated"
    assert tip(origin) == second["commit"] != first["commit"]


def test_a_push_that_was_cut_short_is_made_up_for(fleet: Fleet, origin: Project) -> None:
    commit = fleet.update("clean")["commit"]
    result = fleet.update("clean", push=True)
    assert (result["commit"], tip(origin)) == (commit, commit)


def test_somebodys_commit_in_origin_stays(fleet: Fleet, origin: Project) -> None:
    fleet.update("clean", push=True)
    colleague = origin.clone("--branch", BRANCH)
    colleague.write("fix", "fix\n")
    colleague.commit()
    colleague.git("push", "-q", "origin", BRANCH)
    theirs = tip(origin)
    result = fleet.update("clean", kit=fleet.kit("1.1.0", {NEW: "newer\n"}), push=True)
    assert result["state"] == "failed"
    assert "somebody's own" in result["reason"]
    assert tip(origin) == theirs


def test_commits_that_origin_has_not_are_not_published(fleet: Fleet, origin: Project) -> None:
    project = fleet.repositories["clean"]
    base = project.git("rev-parse", "HEAD")
    project.write("private", "")
    project.commit()
    result = fleet.update("clean", push=True)
    assert result["state"] == "failed"
    assert "pushing would publish" in result["reason"]
    assert tip(origin) == ""
    assert fleet.update("clean", push=True, base=base)["state"] == "updated"
    assert tip(origin) != ""


def test_a_failed_push_is_tried_again(fleet: Fleet, origin: Project) -> None:
    project = fleet.repositories["clean"]
    project.write("own", "own\n")
    project.commit()
    assert fleet.update("clean", push=True)["state"] == "failed"
    project.git("push", "-q", "origin", "main")
    result = fleet.update("clean", push=True)
    assert (result["state"], tip(origin)) == ("updated", result["commit"])


def test_no_origin_and_no_hooks(fleet: Fleet, tmp_path: Path) -> None:
    project = fleet.repositories["clean"]
    for name in ("pre-push", "reference-transaction", "post-commit"):
        hook = project.path / f".git/hooks/{name}"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    result = fleet.update("clean", push=True)
    assert (result["state"], result["branch"]) == ("failed", BRANCH), "made, but not pushed"
    assert "origin" in result["reason"]
    assert not (tmp_path / "ran").exists()


def by_url(fleet: Fleet, folder: Path, origin: Project, **more: Any) -> dict[str, Any]:
    return fleet.update(str(folder), url=f"file://{origin.path}", **more)


def test_a_clone_by_address(fleet: Fleet, origin: Project, tmp_path: Path) -> None:
    clone = tmp_path / "work/clone"
    result = by_url(fleet, clone, origin, push=True)
    assert result["state"] == "updated", result
    assert tip(origin) == result["commit"]
    assert [path.name for path in clone.iterdir()] == [".git"], "files were checked out"
    # The branch is merged; the next run sees it.
    origin.git("update-ref", "refs/heads/main", BRANCH)
    assert by_url(fleet, clone, origin)["state"] == "up to date"


def test_another_branch_of_an_address(fleet: Fleet, origin: Project, tmp_path: Path) -> None:
    origin.git("branch", "release", "main")
    assert by_url(fleet, tmp_path / "x", origin, base="release")["state"] == "updated"
    missing = by_url(fleet, tmp_path / "y", origin, base="nothing")
    assert missing["state"] == "failed"
    assert "couldn't find remote ref nothing" in missing["reason"]
