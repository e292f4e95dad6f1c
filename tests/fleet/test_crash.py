"""Killed at any moment, with its git: the branch is there or not, and nothing else changed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from fleet.conftest import BRANCH, Fleet

KILLS = 60
RUN = """\
import json, sys
from greenlane.fleet import work
task = json.loads(sys.argv[1])
work.kit_and_digest(task["kit"])
print("ready", flush=True)
sys.stdin.readline()
print(work.report_update(task)["state"], flush=True)
"""


def start(task: dict[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    return process


@pytest.mark.slow
def test_killed_at_random_moments(fleet: Fleet) -> None:
    fleet.populate()
    project, task = fleet.repositories["dirty"], fleet.task("dirty")
    before = project.state()
    started = time.monotonic()
    process = start(task)
    assert process.communicate()[0] == "updated\n"
    whole = time.monotonic() - started
    tree = fleet.branches()["dirty"]
    chance = random.Random(20261121)
    seen = {True: 0, False: 0}
    for _ in range(KILLS):
        project.git("update-ref", "-d", f"refs/heads/{BRANCH}")
        (project.path / ".git/greenlane/fleet.json").unlink(missing_ok=True)
        process = start(task)
        time.sleep(chance.uniform(0, whole * 1.3))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        made = fleet.branches().get("dirty", "")
        assert made in {"", tree}
        seen[bool(made)] += 1
        # What a killed git leaves is git's to name; the next run says which file it is.
        (project.path / f".git/refs/heads/{BRANCH}.lock").unlink(missing_ok=True)
        assert project.state() == before
        result = fleet.update("dirty")
        assert (result["state"], result["reason"]) == ("updated", "")
        assert fleet.branches()["dirty"] == tree
    assert min(seen.values()) > 0, seen
