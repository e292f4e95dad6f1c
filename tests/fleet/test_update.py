"""One repository of a fleet: its branch is made, and nothing that a person sees is touched."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from fleet.conftest import BRANCH, NEW, Fleet
from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from greenlane.fleet import work
from owner import NUMBERED


def failed(result: dict[str, Any]) -> str:
    assert result["state"] == "failed", result
    return result["reason"]


def test_the_update_is_a_commit_on_a_branch(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    before = project.state()
    result = fleet.update("clean")
    assert (result["state"], result["branch"]) == ("updated", BRANCH)
    assert (result["from"], result["to"]) == ("1.0.0", "1.1.0")
    assert project.state() == before
    assert project.git("rev-parse", f"{BRANCH}^") == project.git("rev-parse", "HEAD")
    assert project.git("rev-parse", BRANCH) == result["commit"]
    project.git("checkout", "-q", BRANCH)
    assert project.read("NEW.md") == "new\n"
    assert fleet.update("clean")["state"] == "up to date"
    assert project.git("fsck", "--strict", "--no-dangling") == ""


def test_the_same_as_update_and_commit(fleet: Fleet) -> None:
    fleet.populate()
    fleet.update("edited")
    project = fleet.repositories["edited"]
    made = project.git("rev-parse", f"{BRANCH}^{{tree}}")
    project.update(fleet.newer)
    assert project.git("write-tree") == made


def test_a_dirty_clone_is_no_obstacle_and_stays_as_it_is(fleet: Fleet) -> None:
    fleet.populate()
    project = fleet.repositories["dirty"]
    before = project.state()
    assert fleet.update("dirty")["state"] == "updated"
    assert project.state() == before
    assert project.git("show", f"{BRANCH}:NEW.md") == "new"


def test_conflicts_leave_no_branch(fleet: Fleet) -> None:
    fleet.populate()
    result = fleet.update("clash")
    assert (result["state"], result["conflicts"]) == ("conflicts", ["app/main.py"])
    assert fleet.repositories["clash"].git("branch", "--list", BRANCH) == ""


def test_conflicts_that_somebody_resolved_on_the_branch_count_as_updated(fleet: Fleet) -> None:
    fleet.populate()
    fleet.update("clash")
    project = fleet.repositories["clash"]
    with recipes.update(project.path, fleet.newer) as plan:
        plan.apply(branch=BRANCH)
    project.write("app/main.py", NUMBERED)
    project.commit("Resolved")
    resolved = project.git("rev-parse", BRANCH)
    project.git("checkout", "-q", "main")
    result = fleet.update("clash")
    assert (result["state"], result["commit"], result["conflicts"]) == ("updated", resolved, [])


def test_the_identity_is_the_projects_own_or_a_neutral_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = fleet.repositories["clean"]
    project.git("config", "user.name", "Ada")
    project.git("config", "user.email", "ada@example.com")
    fleet.update("clean")
    assert project.git("log", "-1", "--format=%an <%ae>", BRANCH) == "Ada <ada@example.com>"
    project.git("branch", "-qD", BRANCH)
    project.git("config", "--remove-section", "user")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert fleet.update("clean")["state"] == "updated"
    assert project.git("log", "-1", "--format=%an", BRANCH) == "greenlane"


def test_what_is_done_is_not_done_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.populate()
    first = {name: fleet.update(name) for name in ("clean", "clash", "current")}
    monkeypatch.setattr(work.update, "update", lambda *_, **__: pytest.fail("done again"))
    assert {name: fleet.update(name) for name in first} == first


@pytest.mark.parametrize("change", ["commit", "branch", "kit", "sets"])
def test_but_it_is_when_something_changed(fleet: Fleet, change: str) -> None:
    project = fleet.repositories["clean"]
    first = fleet.update("clean")["commit"]
    more: dict[str, Any] = {}
    match change:
        case "commit":
            project.write("own", "own\n")
            project.commit()
        case "branch":
            project.git("branch", "-qD", BRANCH)
        case "kit":
            more["kit"] = fleet.kit("1.1.0", {NEW: "newer\n"})
        case "sets":
            more["sets"] = ("region=eu",)
    result = fleet.update("clean", **more)
    assert result["state"] == "updated"
    assert project.git("rev-parse", BRANCH) == result["commit"]
    assert project.git("rev-parse", f"{BRANCH}^") == project.git("rev-parse", "HEAD")
    if change != "branch":
        assert result["commit"] != first


def test_a_branch_with_somebodys_commit_is_not_replaced(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    project.git("checkout", "-q", "-b", BRANCH)
    project.write("own", "own\n")
    project.commit()
    project.git("checkout", "-q", "main")
    tip = project.git("rev-parse", BRANCH)
    assert "somebody's own" in failed(fleet.update("clean"))
    assert project.git("rev-parse", BRANCH) == tip


def test_nor_is_the_fleets_own_commit_that_somebody_amended(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    fleet.update("clean")
    project.git("checkout", "-q", BRANCH)
    project.write("fix", "fix\n")
    project.git("add", "fix")
    project.git("commit", "-q", "--amend", "--no-edit")
    amended = project.git("rev-parse", BRANCH)
    project.git("checkout", "-q", "main")
    assert fleet.update("clean")["commit"] == amended
    project.write("own", "own\n")
    project.commit()
    assert "somebody's own" in failed(fleet.update("clean"))
    assert project.git("rev-parse", BRANCH) == amended


def test_a_project_in_a_folder_of_a_larger_repository(fleet: Fleet) -> None:
    outer = fleet.repositories["clean"]
    fleet.create("inner")
    shutil.rmtree(fleet.path / "inner/.git")
    shutil.move(fleet.path / "inner", outer.path / "services/inner")
    outer.commit()
    assert fleet.update("clean/services/inner")["state"] == "updated"
    changed = outer.git("diff", "--name-only", "HEAD", BRANCH).split()
    assert changed
    assert all(path.startswith("services/inner/") for path in changed)
    outer.write("own", "own\n")
    outer.commit()
    assert "somebody's own" in failed(fleet.update("clean")), "the other project's branch"
    assert fleet.update("clean/services/inner")["state"] == "updated"


def test_a_branch_that_is_checked_out_is_not_replaced(fleet: Fleet, tmp_path: Path) -> None:
    project = fleet.repositories["clean"]
    fleet.update("clean")
    project.git("worktree", "add", "-q", str(tmp_path / "linked"), BRANCH)
    project.write("own", "own\n")
    project.commit()
    assert "is checked out in" in failed(fleet.update("clean"))


def test_an_update_under_way_is_left_alone(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    project.write("own", "own\n")
    project.commit()
    with recipes.update(project.path, fleet.newer) as plan:
        plan.apply()
    before = project.state()
    for base in ("HEAD", "main~1"):
        assert "not committed yet" in failed(fleet.update("clean", base=base))
        assert work.report_status(fleet.task("clean", base=base))["state"] == "behind"
        assert project.state() == before
    journal = project.path / ".git/greenlane/journal.json"
    journal.write_text(journal.read_text().replace('"applied"', '"applying"'))
    assert "was interrupted" in failed(fleet.update("clean"))
    assert project.state() == before


def test_a_branch_or_an_update_that_came_in_between_is_seen(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    with recipes.update(project.path, fleet.newer) as plan:
        project.git("branch", BRANCH, "main")
        with pytest.raises(GreenlaneError, match="git failed"):
            plan.commit(BRANCH, "Update")
        assert project.git("rev-parse", BRANCH) == project.git("rev-parse", "main")
        with recipes.update(project.path, fleet.newer) as other:
            other.apply()
        with pytest.raises(GreenlaneError, match="not committed yet"):
            plan.commit("another", "Update")
        recipes.abort(project.path)
        plan.commit("another", "Update")
    assert project.git("show", "another:NEW.md") == "new"


def test_it_starts_from_the_base_that_is_asked_for(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]
    project.git("checkout", "-q", "-b", "feature")
    project.write("unfinished", "")
    project.commit()
    assert fleet.update("clean", base="main")["state"] == "updated"
    assert project.git("rev-parse", f"{BRANCH}^") == project.git("rev-parse", "main")
    assert "git cannot read" in failed(fleet.update("clean", base="nothing"))


def test_answers_are_set(fleet: Fleet) -> None:
    fleet.update("clean", sets=("region=eu",))
    assert "In eu." in fleet.repositories["clean"].git("show", f"{BRANCH}:README.md")


def test_dry_run_writes_nothing(fleet: Fleet) -> None:
    project = fleet.repositories["clean"]

    def all_files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in project.path.rglob("*") if p.is_file()}

    before = all_files()
    assert fleet.update("clean", dry_run=True)["state"] == "updated"
    assert all_files() == before


def test_another_kit_on_the_worker_is_told_apart(fleet: Fleet) -> None:
    task = fleet.task("clean")
    fleet_kit = str(fleet.kit("1.1.0", {NEW: "another\n"}).root)
    result = work.report_update({**task, "kit": fleet_kit})
    assert result["state"] == "mixed versions"
    assert "its kit is not the same" in result["reason"]
    assert fleet.branches() == {}


def test_a_clone_that_git_passes_over_is_not_taken_for_the_one_around_it(fleet: Fleet) -> None:
    outer = fleet.repositories["clean"]
    inner = outer.path / "inner"
    (inner / ".git").mkdir(parents=True)
    outer.write("inner/.greenlane/project.yml", "kit: tiny\n")
    outer.git("add", "--force", "inner/.greenlane/project.yml")
    outer.commit()
    result = fleet.update("clean/inner")
    assert "git cannot read" in failed(result)
    assert outer.git("branch", "--list", BRANCH) == ""
