"""Repositories of every kind, and records that are not as greenlane wrote them."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit
from greenlane.location import find_project
from owner import KIT, NUMBERED, Project

MAIN = "base/files/app/main.py"
TAR = ".greenlane/baseline.tar"


def newer(project: Project, version: str = "1.1.0", line: int = 2) -> Kit:
    text = NUMBERED.replace(f"line {line}\n", f"theirs {version}\n")
    return project.kit(version, {MAIN: text})


def edited(project: Project) -> None:
    project.edit("app/main.py", "line 10\n", "mine\n")
    project.commit()


def test_an_earlier_update_that_was_squash_merged(created: Project) -> None:
    edited(created)
    created.git("switch", "--quiet", "--create", "up")
    created.update(newer(created))
    created.commit("Update")
    created.git("switch", "--quiet", "main")
    created.git("merge", "--squash", "--quiet", "up")
    created.git("commit", "--quiet", "--message", "Squashed")
    created.git("branch", "--delete", "--force", "up")
    text = NUMBERED.replace("line 2\n", "theirs 1.1.0\n").replace("line 19\n", "again\n")
    assert created.update(created.kit("1.2.0", {MAIN: text})) == {"app/main.py": "merged"}
    assert created.read("app/main.py") == text.replace("line 10\n", "mine\n")


def test_a_shallow_clone(created: Project) -> None:
    edited(created)
    clone = created.clone("--depth=1")
    assert clone.git("rev-list", "--count", "HEAD") == "1"
    assert clone.update(newer(clone)) == {"app/main.py": "merged"}
    clone.commit("Update")


def test_history_rewritten_to_a_single_commit(created: Project) -> None:
    edited(created)
    created.git("checkout", "--quiet", "--orphan", "fresh")
    created.commit("All")
    created.git("branch", "--delete", "--force", "main")
    created.git("reflog", "expire", "--expire=now", "--all")
    created.git("gc", "--quiet", "--prune=now")
    assert created.update(newer(created)) == {"app/main.py": "merged"}


def test_a_project_in_a_subdirectory_of_a_larger_repository(created: Project) -> None:
    edited(created)
    mono = Project(created.path.parent / "mono")
    shutil.copytree(created.path, mono.path / "services/api")
    shutil.rmtree(mono.path / "services/api/.git")
    mono.write("app/main.py", "not the kit's\n")
    mono.write("services/web/index.html", "<html>\n")
    mono.git("init", "--quiet", "--initial-branch=main")
    mono.commit()
    project = Project(mono.path / "services")
    project.path = mono.path / "services/api"
    before = mono.state()
    kit = created.kit("1.1.0", {MAIN: "new\n", "base/files/docs/NEW.md": "new\n"})
    with recipes.update(project.path, kit) as plan:
        assert "services/api/docs/NEW.md" in plan.patch()
        plan.apply()
        outcomes = {outcome.path: outcome.kind for outcome in plan.merge.outcomes}
    assert outcomes == {"app/main.py": "conflict", "docs/NEW.md": "added"}
    assert mono.unmerged() == {"services/api/app/main.py": {"1", "2", "3"}}
    assert mono.read("app/main.py") == "not the kit's\n"
    assert mono.read("services/api/docs/NEW.md") == "new\n"
    recipes.abort(project.path)
    assert mono.state() == before
    assert not mono.exists("services/api/docs")


def test_a_linked_work_tree(created: Project) -> None:
    edited(created)
    created.git("worktree", "add", "--quiet", "../linked", "-b", "side")
    linked = Project(created.path.parent)
    linked.path = created.path.parent / "linked"
    before = created.state()
    assert linked.update(newer(linked)) == {"app/main.py": "merged"}
    recipes.abort(linked.path)
    assert linked.git("status", "--porcelain") == ""
    assert created.state() == before


def test_a_repository_with_sha256_ids(created: Project) -> None:
    edited(created)
    shutil.rmtree(created.path / ".git")
    created.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    created.commit()
    assert created.update(newer(created)) == {"app/main.py": "merged"}
    assert created.read("app/main.py").count("mine\n") == 1


def test_two_updates_in_parallel_branches_to_the_same_version_merge_cleanly(
    created: Project,
) -> None:
    kit = newer(created)
    for branch in ("left", "right"):
        created.git("switch", "--quiet", "--create", branch, "main")
        created.write(f"{branch}.txt", "x\n")
        created.update(kit)
        created.commit("Update")
    created.git("merge", "--quiet", "--no-edit", "left")
    with recipes.update(created.path, kit) as plan:
        assert not plan.changes_anything


def test_two_updates_in_parallel_branches_to_different_versions(created: Project) -> None:
    created.git("switch", "--quiet", "--create", "left")
    created.update(newer(created, "1.1.0", line=2))
    created.commit("Update")
    created.git("switch", "--quiet", "--create", "right", "main")
    kit = newer(created, "1.2.0", line=19)
    created.update(kit)
    created.commit("Update")
    merged = subprocess.run(["git", "merge", "left"], cwd=created.path, capture_output=True)
    assert merged.returncode == 1
    assert {path.partition("/")[0] for path in created.unmerged()} == {".greenlane"}
    # The record in conflict, committed as it is: refused, with the way out.
    created.git("add", "--all")
    created.git("commit", "--quiet", "--message", "Careless")
    with pytest.raises(GreenlaneError, match="conflict markers") as caught:
        created.update(kit)
    assert "git checkout" in caught.value.hint
    created.git("checkout", "HEAD^1", "--", ".greenlane")
    created.commit("The newer record")
    created.update(kit)
    text = created.read("app/main.py")
    assert "theirs 1.1.0\n" in text
    assert "theirs 1.2.0\n" in text


def test_a_missing_archive_is_found_in_the_history(created: Project) -> None:
    edited(created)
    created.git("rm", "--quiet", TAR)
    created.commit()
    assert created.update(newer(created)) == {"app/main.py": "merged"}
    assert created.exists(TAR)


@pytest.mark.parametrize("damage", ["cut", "scribbled", "empty", "other", "bytes flipped"])
def test_a_damaged_archive_is_not_believed(created: Project, damage: str) -> None:
    content = (created.path / TAR).read_bytes()
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as tar:
        entry = tarfile.TarInfo("app/main.py")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"evil\n"))
    created.write(
        TAR,
        {
            "cut": content[: len(content) // 2],
            "scribbled": b"\0\xff" * 5000,
            "empty": b"",
            "other": other.getvalue(),
            "bytes flipped": content.replace(b"line 2\n", b"LINE 2\n"),
        }[damage],
    )
    edited(created)
    assert created.update(newer(created)) == {"app/main.py": "merged"}
    assert created.read("app/main.py") == NUMBERED.replace("line 2\n", "theirs 1.1.0\n").replace(
        "line 10\n", "mine\n"
    )


def without_history(project: Project) -> Project:
    project.git("rm", "--quiet", TAR)
    project.commit()
    return project.clone("--depth=1")


def test_without_archive_and_history_the_installed_version_is_rendered_again(
    created: Project,
) -> None:
    edited(created)
    clone = without_history(created)
    with recipes.set_answers(clone.path, clone.kit(), ["region=eu"]) as plan:
        assert clone.apply(plan) == {"README.md": "updated", "app/main.py": "kept"}


def test_a_file_whose_base_is_lost_is_a_two_sided_conflict_and_never_overwritten(
    created: Project,
) -> None:
    edited(created)
    clone = without_history(created)
    assert clone.update(newer(clone)) == {"app/main.py": "conflict"}
    text = clone.read("app/main.py")
    assert "mine\n" in text
    assert "theirs 1.1.0\n" in text
    assert clone.unmerged() == {"app/main.py": {"2", "3"}}


def test_a_deleted_file_whose_base_is_lost_is_not_brought_back(created: Project) -> None:
    created.git("rm", "--quiet", "app/main.py")
    created.commit()
    clone = without_history(created)
    assert clone.update(newer(clone)) == {"app/main.py": "declined"}
    assert not clone.exists("app/main.py")


def test_an_edited_file_whose_base_is_lost_and_that_the_kit_dropped_is_a_conflict(
    created: Project,
) -> None:
    edited(created)
    clone = without_history(created)
    assert clone.update(clone.kit("1.1.0", {MAIN: None})) == {"app/main.py": "conflict"}
    assert "mine\n" in clone.read("app/main.py")


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (".greenlane/lock.json", None, "lock.json is damaged: it is missing"),
        (".greenlane/lock.json", "{", "not JSON"),
        (".greenlane/lock.json", "[" * 100_000, "not JSON"),
        (".greenlane/lock.json", "[]", "not a lock"),
        (".greenlane/lock.json", '{"format": 99}', "written by a newer one"),
        (".greenlane/lock.json", '{"format": 1}', "of the kit None"),
        (".greenlane/lock.json", b"\xff\xfe", "not UTF-8"),
        (".greenlane/project.yml", "- a list\n", "expected a mapping"),
        (".greenlane/project.yml", "kit: [", "is not YAML"),
        (".greenlane/project.yml", "kit: tiny\n", 'does not say "version"'),
        (".greenlane/project.yml", b"\xff\xfe", "not UTF-8"),
        (".greenlane/project.yml", "kit: other\nversion: '1.0.0'\napp: desk\n", "of the kit"),
        (".greenlane/project.yml", "<<<<<<< HEAD\n=======\n", "conflict markers"),
    ],
)  # fmt: skip
def test_a_record_edited_into_nonsense_is_refused_with_a_way_out(
    created: Project, path: str, change: str | bytes | None, message: str
) -> None:
    if change is None:
        created.git("rm", "--quiet", path)
    else:
        created.write(path, change)
    created.commit()
    before = created.state()
    with pytest.raises(GreenlaneError, match=message) as caught:
        created.update(newer(created))
    assert caught.value.hint
    assert created.state() == before


@pytest.mark.parametrize(
    "entry",
    [
        {"../escape": {"mode": "100644", "blob": "0" * 40, "part": "base"}},
        {".git/hooks/pre-commit": {"mode": "100755", "blob": "0" * 40, "part": "base"}},
        {"app/main.py": {"mode": "120000", "blob": "0" * 40, "part": "base"}},
        {"app/main.py": {"mode": "100644", "blob": "HEAD", "part": "base"}},
        {"app/main.py": 7},
    ],
)
def test_a_lock_that_points_elsewhere_is_refused(created: Project, entry: dict) -> None:
    lock = json.loads(created.read(".greenlane/lock.json"))
    lock["files"].update(entry)
    created.write(".greenlane/lock.json", json.dumps(lock))
    created.commit()
    with pytest.raises(GreenlaneError, match=r"lock\.json is damaged"):
        created.update(newer(created))


def test_an_answer_that_does_not_fit_is_refused_and_names_the_record(created: Project) -> None:
    created.edit(".greenlane/project.yml", "region: us", "region: [us]")
    created.commit()
    with pytest.raises(GreenlaneError, match=r"\.greenlane/project\.yml"):
        created.update(newer(created))


def test_an_application_that_the_kit_does_not_have(created: Project) -> None:
    created.edit(".greenlane/project.yml", "app: desk", "app: dusk")
    created.commit()
    with pytest.raises(GreenlaneError, match='no application "dusk"'):
        created.update(newer(created))


def test_a_project_of_a_newer_version_than_the_tool(created: Project) -> None:
    created.update(newer(created, "1.10.0"))
    created.commit()
    with pytest.raises(GreenlaneError, match=r"1\.10\.0, but 1\.9\.0 is installed") as caught:
        created.update(newer(created, "1.9.0"))
    assert "Bring tiny up to date" in caught.value.hint


def test_a_project_of_another_kit(created: Project) -> None:
    kit = created.kit("1.1.0", {"kit.yml": KIT["kit.yml"].replace("tiny", "other")})
    with pytest.raises(GreenlaneError, match='from the kit "tiny", this is "other"'):
        created.update(kit)


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(GreenlaneError, match="not in a greenlane project") as caught:
        find_project(tmp_path)
    assert "adopt" in caught.value.hint


def test_a_project_outside_git(created: Project) -> None:
    shutil.rmtree(created.path / ".git")
    with pytest.raises(GreenlaneError, match="not in a git repository") as caught:
        created.update(newer(created))
    assert "git init" in caught.value.hint


def test_a_repository_without_a_commit(created: Project) -> None:
    shutil.rmtree(created.path / ".git")
    created.git("init", "--quiet")
    with pytest.raises(GreenlaneError, match="Nothing is committed"):
        created.update(newer(created))


def test_a_project_that_was_never_committed_in_its_repository(created: Project) -> None:
    shutil.rmtree(created.path / ".git")
    created.git("init", "--quiet")
    created.git("commit", "--quiet", "--allow-empty", "--message", "Empty")
    with pytest.raises(GreenlaneError, match=r"has no \.greenlane/project\.yml in its last commit"):
        created.update(newer(created))


def test_a_machine_without_git(created: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = newer(created)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GreenlaneError, match="Git is not installed") as caught:
        created.update(kit)
    assert "2.38" in caught.value.hint


@pytest.mark.parametrize("version", ["2.30.2", "2.37.9"])
def test_a_git_that_is_too_old(
    created: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    kit = newer(created)
    real = shutil.which("git")
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "git"
    script.write_text(
        "#!/bin/sh\n"
        f'for word in "$@"; do case "$word" in\n  version) echo "git version {version}"; exit;;\n'
        '  merge-tree) echo "usage: git merge-tree <base-tree>" >&2; exit 129;;\n'
        f'esac; done\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with pytest.raises(GreenlaneError, match=f"git {version} is too old"):
        created.update(kit)
    assert created.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["MERGE_HEAD", "CHERRY_PICK_HEAD", "rebase-merge"])
def test_in_the_middle_of_a_merge_or_rebase(created: Project, name: str) -> None:
    kit = newer(created)
    (created.path / ".git" / name).mkdir()
    with (
        recipes.update(created.path, kit) as plan,
        pytest.raises(GreenlaneError, match="in progress"),
    ):
        plan.apply()


def test_settings_attributes_and_hooks_of_the_owner_do_not_reach_the_merge(
    created: Project,
) -> None:
    edited(created)
    for key, value in (
        ("merge.conflictStyle", "merge"),
        ("merge.renames", "false"),
        ("diff.external", "false"),
        ("core.pager", "false"),
        ("merge.default", "union"),
        ("status.showUntrackedFiles", "all"),
        ("status.relativePaths", "true"),
        ("core.quotePath", "true"),
    ):
        created.git("config", key, value)
    hooks = created.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {created.path.parent}/{name}\nexit 1\n")
        (hooks / name).chmod(0o755)
    kit = created.kit("1.1.0", {MAIN: NUMBERED.replace("line 10\n", "theirs\n")})
    with recipes.update(created.path, kit) as plan:
        plan.apply(branch="up")
    assert "|||||||" in created.read("app/main.py")
    assert not (created.path.parent / "post-index-change").exists()
    assert not (created.path.parent / "reference-transaction").exists()


def test_a_filter_of_the_owner_is_used_for_the_work_tree(created: Project) -> None:
    created.git("config", "filter.upper.clean", "tr A-Z a-z")
    created.git("config", "filter.upper.smudge", "tr a-z A-Z")
    created.write(".gitattributes", "app/main.py filter=upper\n")
    created.commit()
    created.git("rm", "--cached", "--quiet", "-r", ".")
    created.git("reset", "--hard", "--quiet")
    assert "LINE 2\n" in created.read("app/main.py")
    created.update(newer(created))
    assert "THEIRS 1.1.0\n" in created.read("app/main.py")
    assert created.git("diff", "--stat") == ""
    recipes.abort(created.path)
    assert "LINE 2\n" in created.read("app/main.py")


def test_a_copied_repository_with_stale_file_times(created: Project) -> None:
    edited(created)
    for file in created.path.rglob("*"):
        if file.is_file() and ".git/" not in str(file):
            os.utime(file, (1, 1))
    assert created.update(newer(created)) == {"app/main.py": "merged"}


def test_settings_of_the_owners_machine_do_not_reach_the_merge(created: Project) -> None:
    attributes = Path.home() / "attributes"
    attributes.write_text("* merge=union\n")
    for key, value in (("merge.renames", "false"), ("core.attributesFile", str(attributes))):
        subprocess.run(["git", "config", "--global", key, value], check=True)
    created.git("mv", "app/main.py", "app/start.py")
    created.edit("app/start.py", "line 10\n", "mine\n")
    created.edit("app/old.py", "old 10\n", "mine\n")
    created.commit()
    old = KIT["base/files/app/old.py"].replace("old 10\n", "theirs\n")
    text = NUMBERED.replace("line 2\n", "theirs\n")
    kit = created.kit("1.1.0", {MAIN: text, "base/files/app/old.py": old})
    assert created.update(kit) == {"app/start.py": "merged", "app/old.py": "conflict"}
