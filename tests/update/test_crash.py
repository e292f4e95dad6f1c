"""Killed at any moment, or out of disk: the project is as before or as after, and whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from owner import NUMBERED, Project

MAIN = "base/files/app/main.py"
KILLS = 320
RUN = """\
import sys
from collections.abc import Iterator
from pathlib import Path
from greenlane import update as recipes
from greenlane.kit import load_kit
project, kit = map(Path, sys.argv[1:3])
kit = load_kit(kit)
if sys.argv[4] == "plan":
    print("ready", flush=True)
    sys.stdin.readline()
with recipes.update(project, kit) as plan:
    if sys.argv[4] == "apply":
        print("ready", flush=True)
        sys.stdin.readline()
    plan.apply(branch=sys.argv[3])
print("done", flush=True)
"""


def prepared(project: Project) -> Path:
    """A project with work of all kinds; returns the folder of a kit that touches much of it."""
    many = {f"base/files/many/f{n}.txt": f"one {n}\n" * 50 for n in range(300)}
    project.create(project.kit(changes=many))
    project.edit("app/main.py", "line 10\n", "mine\n")
    project.git("rm", "--quiet", "app/old.py")
    project.commit()
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.edit("justfile", "echo checked", "echo unstaged")
    project.write("untracked.txt", "untracked\n")
    newer: dict[str, str | bytes | None] = {
        path: text.replace("one", "two") for path, text in many.items() if "7" not in path
    }
    newer |= {f"base/files/more/deep/g{n}.txt": f"new {n}\n" for n in range(30)}
    newer[MAIN] = NUMBERED.replace("line 10\n", "theirs\n")
    return project.kit("1.1.0", newer).root


def start(
    project: Project, kit: Path, branch: str = "", *, waits_before: str = "plan"
) -> subprocess.Popen[str]:
    """An update in a process group of its own, waiting for the word before planning or applying."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(project.path), str(kit), branch, waits_before],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def tidy(project: Project) -> str:
    """What the next command says; it needs no kit, being an abort that finds nothing to do."""
    try:
        recipes.abort(project.path)
    except GreenlaneError as error:
        assert "no update to abort" in error.message
        return "nothing"
    return "aborted"


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["", "up"])
def test_killed_at_random_moments(project: Project, branch: str) -> None:
    kit = prepared(project)
    before = project.state()
    durations = {}
    for phase in ("plan", "apply"):
        process = start(project, kit, branch, waits_before=phase)
        started = time.monotonic()
        go(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        durations[phase] = time.monotonic() - started
        kill(process)
        after = project.state()
        assert after != before
        assert tidy(project) == "aborted"
        assert project.state() == before
    chance = random.Random(20261121)
    seen: dict[str, int] = {}
    for number in range(KILLS // 2):
        phase = "apply" if number % 4 else "plan"
        process = start(project, kit, branch, waits_before=phase)
        go(process)
        time.sleep(chance.uniform(0.0, durations[phase] * 1.1))
        kill(process)
        half_way = project.state_of_files() not in (before["files"], after["files"])
        outcome = tidy(project)
        # An abort of what was complete, or of what was half done: before, in either case.
        assert project.state() == before
        assert not (project.path / ".git/index.lock").exists()
        assert project.git("branch", "--list", "up") == ""
        key = f"{outcome}{', found half-way' if half_way else ''}"
        seen[key] = seen.get(key, 0) + 1
    assert project.git("fsck", "--strict", "--no-dangling") == ""
    # Or the moments were not well chosen.
    assert set(seen) >= {"aborted", "nothing", "nothing, found half-way"}, seen


@pytest.mark.slow
def test_killed_and_run_again_gives_the_same_as_an_undisturbed_run(project: Project) -> None:
    kit = prepared(project)
    process = start(project, kit)
    go(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    kill(process)
    after = project.state()
    recipes.abort(project.path)
    chance = random.Random(7)
    for _ in range(20):
        process = start(project, kit)
        go(process)
        time.sleep(chance.uniform(0.0, 0.25))
        kill(process)
        process = start(project, kit)
        go(process)
        assert process.stdout is not None
        assert process.stderr is not None
        if process.stdout.readline() != "done\n":
            # The killed one had finished: it waits to be committed.
            assert "not committed yet" in process.stderr.read()
        kill(process)
        assert project.state() == after
        recipes.abort(project.path)


@pytest.mark.slow
def test_the_clean_up_itself_is_killed(project: Project) -> None:
    kit = prepared(project)
    before = project.state()
    abort = (
        "import sys\nfrom pathlib import Path\nfrom greenlane import update as recipes\n"
        "print('ready', flush=True)\nsys.stdin.readline()\nrecipes.abort(Path(sys.argv[1]))\n"
    )
    chance = random.Random(11)
    for _ in range(40):
        process = start(project, kit)
        go(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        kill(process)
        process = subprocess.Popen(
            [sys.executable, "-c", abort, str(project.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        go(process)
        time.sleep(chance.uniform(0.0, 0.12))
        kill(process)
        tidy(project)
        assert project.state() == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MB; skipped where this process may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_leaves_the_project_as_it_was(tmp_path: Path, small_disk: Path) -> None:
    outside = Project(tmp_path)
    kit = prepared(outside)
    project = Project(small_disk)
    shutil.copytree(outside.path, project.path, symlinks=True)
    project.git("status")
    before = project.state()
    filler = small_disk / "filler"
    results = set()
    for room in range(0, 3_200_000, 40_000):
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(b"x" * (free - room - 4096))
        process = start(project, kit)
        go(process)
        assert process.stdout is not None
        assert process.stderr is not None
        done = process.stdout.readline() == "done\n"
        said = "" if done else process.stderr.read()
        kill(process)
        filler.unlink()
        results.add("done" if done else "refused")
        if done:
            recipes.abort(project.path)
        else:
            assert "GreenlaneError" in said, said
            assert project.state() == before, said
            tidy(project)
        assert project.state() == before
        assert project.git("fsck", "--strict", "--no-dangling") == ""
    assert results == {"done", "refused"}
