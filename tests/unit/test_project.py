"""Creating a repository, whatever the state of git around it."""

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.answers import Answers, resolve
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, load_kit
from greenlane.project import create
from greenlane.record import blob_id

Git = Callable[..., str]
GIT = shutil.which("git")


@pytest.fixture
def kit(make_kit: MakeKit) -> Kit:
    ignore = {"base/files/.gitignore.jinja": "*.log\nvar/\n", "base/files/kept.log": "kept\n"}
    ignore["base/files/lines.txt"] = "one\r\ntwo\r\n"
    return load_kit(make_kit(ignore))


@pytest.fixture
def answers(kit: Kit) -> Answers:
    return resolve(kit, preset="small", name="acme")


def _settings(text: str) -> None:
    with (Path.home() / ".gitconfig").open("a") as file:
        file.write(text)


def test_first_commit(kit: Kit, answers: Answers, tmp_path: Path, git: Git) -> None:
    created = create(kit, answers, tmp_path / "acme")
    assert created.path == tmp_path / "acme"
    assert created.skipped == []
    # The index knows the files, also for commands that never refresh it. (`git status` would.)
    assert git(created.path, "diff-index", "--name-only", "HEAD") == ""
    assert git(created.path, "log", "--format=%H %an <%ae> %s", "--all") == (
        f"{created.commit_id} Ada <ada@example.com> Create the project with tiny 1.2.0"
    )
    assert git(created.path, "branch", "--show-current") == "main"
    assert git(created.path, "status", "--porcelain", "--ignored") == ""
    assert len(git(created.path, "ls-files").splitlines()) == created.files
    # Also what its own .gitignore would leave out.
    assert "kept.log" in git(created.path, "ls-files").splitlines()
    assert git(created.path, "ls-files", "-s", "tool").startswith("100755")
    assert git(created.path, "fsck", "--strict") == ""


def test_no_setting_of_ours_stays(kit: Kit, answers: Answers, tmp_path: Path, git: Git) -> None:
    create(kit, answers, tmp_path / "acme")
    local = git(tmp_path / "acme", "config", "--local", "--list").splitlines()
    assert {line.split("=")[0] for line in local} == {
        *("core.repositoryformatversion", "core.filemode", "core.bare", "core.logallrefupdates"),
    }


def test_without_commit(kit: Kit, answers: Answers, tmp_path: Path) -> None:
    created = create(kit, answers, tmp_path / "acme", commit=False)
    assert created.commit_id is None
    assert not (tmp_path / "acme/.git").exists()


def test_the_users_git_does_not_interfere(
    kit: Kit, answers: Answers, tmp_path: Path, git: Git
) -> None:
    hooks = tmp_path / "hooks"
    template = tmp_path / "template"
    ran = tmp_path / "ran"
    for folder in (hooks, template / "hooks"):
        folder.mkdir(parents=True)
        for name in ("pre-commit", "commit-msg", "post-commit", "prepare-commit-msg"):
            hook = folder / name
            hook.write_text(f"#!/bin/sh\ntouch {ran}\nexit 1\n")
            hook.chmod(0o755)
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {ran}\n")
    monitor.chmod(0o755)
    (tmp_path / "ignore").write_text("*.md\n")
    (tmp_path / "attributes").write_text("* filter=broken\n*.py text eol=crlf\n")
    _settings(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n\tsafecrlf = true\n"
        f"\texcludesFile = {tmp_path / 'ignore'}\n\tattributesFile = {tmp_path / 'attributes'}\n"
        f"\tfsmonitor = {monitor}\n"
        f"[init]\n\ttemplateDir = {template}\n\tdefaultBranch = trunk\n"
        "[commit]\n\tgpgSign = true\n\ttemplate = /nowhere\n\tverbose = true\n"
        '[gpg]\n\tprogram = /bin/false\n[filter "broken"]\n\tclean = false\n\trequired = true\n'
    )
    created = create(kit, answers, tmp_path / "acme")
    assert created.skipped == []
    assert created.commit_id is not None
    assert not ran.exists()
    assert not (created.path / ".git/hooks").exists()
    assert git(created.path, "show", "HEAD:README.md").startswith("# acme")
    assert git(created.path, "rev-parse", "HEAD:lines.txt") == blob_id(b"one\r\ntwo\r\n")
    assert git(created.path, "log", "--format=%an %G?") == "Ada N"


def test_a_git_that_runs_greenlane_does_not_interfere(
    kit: Kit, answers: Answers, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a hook, or in `git -c ... alias`.
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outer))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git/index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(outer / ".git/objects"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=true'")
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    created = create(kit, answers, tmp_path / "acme")
    for key in list(os.environ):
        if key.startswith("GIT_") and key != "GIT_CONFIG_NOSYSTEM":
            monkeypatch.delenv(key)
    assert created.commit_id is not None
    assert len(created.commit_id) == 40
    assert git(tmp_path / "acme", "rev-parse", "HEAD") == created.commit_id
    assert not (outer / ".git/index").exists()
    assert [p for p in (outer / ".git/objects").rglob("*") if p.is_file()] == []


def test_a_neutral_author_when_git_knows_none(
    kit: Kit, answers: Answers, tmp_path: Path, git: Git
) -> None:
    (Path.home() / ".gitconfig").unlink()
    created = create(kit, answers, tmp_path / "acme")
    assert created.skipped == []
    author = git(created.path, "log", "--format=%an <%ae> %cn <%ce>")
    assert author == "greenlane <greenlane@localhost> greenlane <greenlane@localhost>"


def test_the_author_may_come_from_the_environment(
    kit: Kit, answers: Answers, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path.home() / ".gitconfig").unlink()
    for role, name in (("AUTHOR", "Grace"), ("COMMITTER", "Joan")):
        monkeypatch.setenv(f"GIT_{role}_NAME", name)
        monkeypatch.setenv(f"GIT_{role}_EMAIL", f"{name.lower()}@example.com")
    created = create(kit, answers, tmp_path / "acme")
    people = git(created.path, "log", "--format=%an <%ae> %cn <%ce>")
    assert people == "Grace <grace@example.com> Joan <joan@example.com>"


def _fake_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """A PATH with this script as git, or with no git at all."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if script is not None:
        (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "git").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "git is not installed"),
        ("echo 'error: unknown option `initial-branch=main' >&2; exit 129", "unknown option"),
        ("exit 3", "git init ended with 3"),
        (
            f'case "$*" in *" fast-import "*) echo broken >&2; exit 1;; esac\nexec {GIT} "$@"',
            "broken",
        ),
    ],
)
def test_no_usable_git_is_an_instruction(
    kit: Kit,
    answers: Answers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    reason: str,
) -> None:
    path = os.environ["PATH"]
    _fake_git(tmp_path, monkeypatch, script)
    created = create(kit, answers, tmp_path / "it's mine" / "acme")
    assert created.commit_id is None
    (instruction,) = created.skipped
    assert reason in instruction
    monkeypatch.setenv("PATH", path)
    # The folder is complete, has no half-made repository, and the instruction works as it stands.
    assert not (created.path / ".git").exists()
    command = instruction.split("`")[-2]
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602
    assert (created.path / ".git").is_dir()


def test_inside_another_repository(kit: Kit, answers: Answers, tmp_path: Path, git: Git) -> None:
    outer = tmp_path / "mono repo"
    (outer / "services").mkdir(parents=True)
    git(outer, "init", "-q")
    (outer / ".gitignore").write_text("/scratch/\n")
    created = create(kit, answers, outer / "services" / "acme")
    assert created.commit_id is None
    assert not (created.path / ".git").exists()
    (instruction,) = created.skipped
    assert f"is part of the repository {outer}" in instruction
    subprocess.run(instruction.split("`")[1], shell=True, check=True)  # noqa: S602
    assert "services/acme/README.md" in git(outer, "ls-files")
    # What the outer repository ignores is a repository of its own.
    assert create(kit, answers, outer / "scratch" / "acme").commit_id is not None


def test_in_the_present_folder(
    kit: Kit, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    monkeypatch.chdir(tmp_path / "acme")
    created = create(kit, answers, Path())
    assert created.path == tmp_path / "acme"
    assert (tmp_path / "acme/README.md").exists()
    assert created.skipped == [
        "The folder that you are in was replaced: run `cd .` to see the files."
    ]


def test_an_occupied_destination_is_refused_before_any_work(
    kit: Kit, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").write_text("mine")
    monkeypatch.setattr("greenlane.render.render", lambda *_: pytest.fail("rendered"))
    with pytest.raises(GreenlaneError, match="is a file"):
        create(kit, answers, tmp_path / "acme")


def test_a_broken_template_writes_nothing(make_kit: MakeKit, tmp_path: Path) -> None:
    kit = load_kit(make_kit({"apps/shop/files/x.jinja": "{{ nope }}"}, "broken"))
    with pytest.raises(GreenlaneError, match="'nope' is undefined"):
        create(kit, resolve(kit, sets=["app=shop"]), tmp_path / "made" / "acme")
    assert not (tmp_path / "made").exists()


def test_twice_the_same_but_for_the_commit(
    kit: Kit, answers: Answers, tmp_path: Path, git: Git
) -> None:
    one = create(kit, answers, tmp_path / "one")
    two = create(kit, answers, tmp_path / "two")
    trees = [git(created.path, "rev-parse", "HEAD^{tree}") for created in (one, two)]
    assert trees[0] == trees[1]


_KILLED = """\
import sys
from pathlib import Path
from greenlane.answers import resolve
from greenlane.kit import load_kit
from greenlane.project import create
kit = load_kit(Path(sys.argv[1]))
answers = resolve(kit, preset="small")
print("start", flush=True)
create(kit, answers, Path(sys.argv[2]))
"""


def _create_until(root: Path, dest: Path, seconds: float | None) -> float:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(root), str(dest)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        started = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        process.wait()
    return time.monotonic() - started


@pytest.mark.slow
def test_killed_at_any_instant_the_repository_is_whole_or_absent(
    make_kit: MakeKit, tmp_path: Path, git: Git
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    root = make_kit()
    dest = tmp_path / "here" / "acme"
    took = _create_until(root, dest, None)
    halves = 0
    for _ in range(20):
        subprocess.run(["rm", "-rf", dest], check=True)
        _create_until(root, dest, chance.uniform(0, took * 1.2))
        halves += any(dest.parent.glob(".acme.greenlane-*/.git"))
        if dest.exists():
            assert git(dest, "status", "--porcelain") == "", seed
            assert git(dest, "fsck", "--strict") == "", seed
            assert git(dest, "log", "--format=%s") == "Create the project with tiny 1.2.0", seed
    assert halves > 1, f"hardly any was killed while git was at work ({seed})"
    subprocess.run(["rm", "-rf", dest], check=True)
    # A git that outlived its parent may still be writing to a leftover; it ends by itself.
    time.sleep(1)
    _create_until(root, dest, None)
    assert [entry.name for entry in dest.parent.iterdir()] == ["acme"]
