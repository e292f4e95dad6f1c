"""The rendered application under load, with workers of their own, one of which is killed."""

import json
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from greenlane.environment import free_port
from made import new, run
from workflow_steps import clean_environment

pytestmark = pytest.mark.slow

SECONDS = 20
LOCUST = ("uv", "run", "--with", "locust>=2.40,<3", "locust", "--headless", "--only-summary")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my-app"
    new("freelancer", folder)
    run(folder, "uv", "run", "just", "setup")
    return folder


@contextmanager
def running(folder: Path, env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the project's, in its own environment; it is gone afterwards."""
    process = subprocess.Popen(
        [folder / ".venv/bin/app", *command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def test_a_worker_killed_under_load_loses_no_ticket(project: Path) -> None:
    port = str(free_port(None, default=18100))
    env = clean_environment() | {
        "PORT": port,
        "IN_PROCESS_WORKERS": "false",
        "JOBS_LEASE_SECONDS": "5",
        "JOBS_HEARTBEAT_SECONDS": "1",
    }
    secrets = {
        name: value
        for line in (project / ".env").read_text().splitlines()
        for name, _, value in [line.partition("=")]
        if name in ("ACCESS_TOKEN", "WEBHOOK_SECRET")
    }
    before = counted(project, "tickets")
    with ExitStack() as stack:
        doomed = stack.enter_context(running(project, env, "worker"))
        stack.enter_context(running(project, env, "worker"))
        served = stack.enter_context(running(project, env, "serve"))
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        load = subprocess.Popen(
            [*LOCUST, "-f", "load/locustfile.py", "--run-time", f"{SECONDS}s"],
            cwd=project,
            env=env | secrets,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(lambda: counted(project, "tickets") > before + 20)
        until(lambda: killed_with_a_job(doomed, project))
        printed, _ = load.communicate(timeout=SECONDS + 120)
        assert load.returncode == 0, printed
        served.terminate()  # so that nothing arrives any more
        served.wait(60)
        until(lambda: counted(project, "jobs", "state in ('ready', 'running')") == 0)
    sent = {flow["flow"]: flow for flow in json.loads(report(project).read_text())}
    accepted = 0
    for name in ("ticket-create", "webhook"):
        assert sent[name]["failures"] == 0, printed
        accepted += sent[name]["requests"]
    made = counted(project, "tickets") - before
    # Those under way when the load ended were accepted, but not counted by the sender.
    assert accepted <= made <= accepted + 30
    assert counted(project, "jobs", "state = 'done'") == made
    assert counted(project, "jobs", "attempts > 1") > 0, "the killed one held nothing"
    assert counted(project, "tickets", "source != 'seed' and status != 'ready'") == 0


def killed_with_a_job(worker: subprocess.Popen[bytes], project: Path) -> bool:
    """Whether it held a job and was killed; it goes on otherwise, since nothing was at stake."""
    until(lambda: jobs_under_way(project), pause=0.001)
    worker.send_signal(signal.SIGSTOP)
    held = jobs_under_way(project)
    time.sleep(0.5)  # the other worker's are done by then
    is_holding = bool(held & jobs_under_way(project))
    worker.send_signal(signal.SIGKILL if is_holding else signal.SIGCONT)
    return is_holding


def jobs_under_way(project: Path) -> set[str]:
    return {row[0] for row in rows(project, "select id from jobs where state = 'running'")}


def counted(project: Path, table: str, where: str = "1") -> int:
    return rows(project, f"select count(*) from {table} where {where}")[0][0]  # noqa: S608


def rows(project: Path, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(project / "var/app.db", timeout=30)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def report(project: Path) -> Path:
    return project / "var/reports/load.json"


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return response.status == 200
    except OSError:
        return False


def until(condition: Callable[[], object], seconds: float = 90, pause: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)
