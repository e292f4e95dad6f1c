"""`greenlane fleet` as a person or a bot runs it, interrupted and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from fleet.conftest import BRANCH, Fleet, run
from greenlane.cli import cli
from greenlane.exits import run as run_cli
from greenlane.fleet import work

Call = Callable[..., tuple[int, dict[str, Any]]]


def states(document: dict[str, Any]) -> dict[str, str]:
    return {x["name"]: x["state"] for x in document["repositories"]}


def test_status_and_update_of_a_folder(fleet: Fleet, greenlane: Call, tmp_path: Path) -> None:
    fleet.populate()
    (fleet.path / "foreign").mkdir()
    subprocess.run(["git", "init", "-q", fleet.path / "foreign"], check=True)
    before = fleet.states()
    status, told = greenlane("status", fleet.path, "--jobs", "2")
    assert status == 1
    assert told["counts"] == {"up to date": 1, "behind": 4, "failed": 2}
    status, told = greenlane("update", fleet.path, "--summaries", tmp_path / "pages")
    assert status == 1
    assert told["counts"] == {"up to date": 1, "updated": 3, "conflicts": 1, "failed": 2}
    assert fleet.states() == before
    pages = {path.name: path.read_text() for path in (tmp_path / "pages").iterdir()}
    assert pages.keys() == {"clean.md", "edited.md", "dirty.md", "clash.md"}
    assert {x["name"]: x["summary"] for x in told["repositories"] if "summary" in x} == {
        name.removesuffix(".md"): page for name, page in pages.items()
    }
    assert pages["clean.md"].startswith("# Update from 1.0.0 to 1.1.0\n")
    assert "| added | 1 |" in pages["clean.md"]
    assert "- `app/main.py`\n" in pages["clash.md"]


def test_a_table_without_a_trace_of_progress(fleet: Fleet) -> None:
    fleet.populate()
    status, out, err = run(fleet, "update", fleet.path)
    assert (status, err) == (1, "")
    rows = [line for line in out.splitlines() if line[:1].isalpha()]
    assert rows[0].startswith(f"broken   failed      {fleet.path / 'broken'} is not in a git")
    assert rows[1:6] == [
        "clash    conflicts   app/main.py",
        f"clean    updated     on branch {BRANCH}",
        "current  up to date",
        f"dirty    updated     on branch {BRANCH}",
        f"edited   updated     on branch {BRANCH}",
    ]
    assert out.endswith("6 repositories: 1 up to date, 3 updated, 1 conflicts, 1 failed.\n")


def test_a_file_names_them_and_mistakes_in_usage_are_2(fleet: Fleet, greenlane: Call) -> None:
    (fleet.path / "fleet.yml").write_text("repositories: [{path: clean, branch: kit}, {path: no}]")
    status, told = greenlane("update", "--file", "fleet.yml", "--dry-run")
    assert (status, told["applied"]) == (1, False)
    assert states(told) == {"clean": "updated", "no": "failed"}
    assert greenlane("update")[1]["repositories"][0]["branch"] == "kit"
    (fleet.path / "fleet.yml").write_text("repositories: [{path: clean, bronch: kit}]")
    status, told = greenlane("update")
    assert status == 2
    assert "branch" in told["error"]["hint"]
    for wrong in (("--file", "fleet.yml", "."), ("--jobs", "0", "."), (".", "--base=-x")):
        assert greenlane("status", *wrong)[0] == 2


def test_all_well_is_0(fleet: Fleet, greenlane: Call) -> None:
    assert greenlane("update", fleet.path)[0] == 0
    assert greenlane("status", fleet.path)[0] == 0


def test_without_dask_the_command_that_installs_it_is_named(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    arguments = [*fleet.command("update", fleet.path)[4:], "--scheduler", "tcp://127.0.0.1:1"]
    assert run_cli(cli, ["fleet", *arguments]) == 2
    assert "pip install 'greenlane[fleet]'" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nonsense", "foo://x:1", "tcp://x", "tcp://"])
def test_what_is_no_address_of_a_scheduler_is_not_tried(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    arguments = [*fleet.command("update", fleet.path)[4:], "--scheduler", address]
    assert run_cli(cli, ["fleet", *arguments]) == 2
    assert "is no address" in capsys.readouterr().err


def test_mixed_versions_end_the_run(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = work.task_of
    monkeypatch.setattr(work, "task_of", lambda *a, **o: {**whole(*a, **o), "digest": "other"})
    assert run_cli(cli, ["fleet", *fleet.command("update", fleet.path)[4:]]) == 2
    said = capsys.readouterr().err
    assert "its kit is not the same" in said
    assert "the same greenlane everywhere" in said
    assert fleet.branches() == {}


def test_progress_is_one_line_at_a_terminal_and_gone_at_the_end(fleet: Fleet) -> None:
    fleet.populate()
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    seen = []
    child = pexpect.spawn(
        *(sys.executable, fleet.command("update", fleet.path)[1:]),
        **{"encoding": "utf-8", "dimensions": (24, 80), "timeout": 30},
    )
    with suppress(pexpect.EOF):
        while True:
            stream.feed(child.read_nonblocking(200))
            seen.append("\n".join(screen.display))
    child.close()
    assert child.exitstatus == 1
    assert any("] 0/6" in shown for shown in seen)
    assert "/6" not in "\n".join(screen.display)
    assert "6 repositories: " in "\n".join(screen.display)


def many(fleet: Fleet) -> None:
    for number in range(12):
        fleet.create(f"more-{number:02}")


def interrupted(fleet: Fleet, how: Callable[[int], None]) -> tuple[int, str]:
    """Exit status and stderr of an update that is cut short after its first branches."""
    process = subprocess.Popen(
        fleet.command("update", fleet.path, "--jobs", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(fleet.path.glob("*/.git/greenlane/fleet.json")) and process.poll() is None:
        time.sleep(0.002)
    how(process.pid)
    _, err = process.communicate()
    return process.returncode, err


def no_process_is_left(group: int) -> bool:
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", ["Ctrl-C", "killed", "all killed"])
def test_interrupted_and_started_again(fleet: Fleet, greenlane: Call, how: str) -> None:
    many(fleet)
    before = fleet.states()
    groups = []

    def end(pid: int) -> None:
        groups.append(pid)
        match how:
            case "Ctrl-C":
                os.killpg(pid, signal.SIGINT)
            case "killed":
                os.kill(pid, signal.SIGKILL)
            case _:
                os.killpg(pid, signal.SIGKILL)

    status, err = interrupted(fleet, end)
    assert status == (130 if how == "Ctrl-C" else -signal.SIGKILL), err
    assert ("goes on with the rest" in err) == (how == "Ctrl-C")
    assert "Traceback" not in err
    assert no_process_is_left(groups[0]), "workers outlive the command"
    assert 0 < len(fleet.branches()) < len(fleet.repositories)
    done = {name: project.git("for-each-ref", f"refs/heads/{BRANCH}")
            for name, project in fleet.repositories.items()}  # fmt: skip
    assert fleet.states() == before
    status, told = greenlane("update", fleet.path)
    assert (status, told["counts"]) == (0, {"updated": 13})
    assert fleet.states() == before
    assert len(set(fleet.branches().values())) == 1
    assert len(fleet.branches()) == 13
    for name, told_before in done.items():
        if told_before:
            now = fleet.repositories[name].git("for-each-ref", f"refs/heads/{BRANCH}")
            assert now == told_before, "done a second time"
