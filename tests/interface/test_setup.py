"""`start`: what it runs, and what becomes of a step that cannot be done."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.environment import free_folder, free_port, project_environment
from greenlane.errors import GreenlaneError
from interface.conftest import REAL_CACHE, FakeUv, Greenlane

Git = Callable[..., str]
STEPS = ["lock", "sync", "run just setup"]
DUMP = "run just --dump --dump-format json"
OFFLINE = "error: Request failed after 3 retries\n  cause: dns error"


def test_start_runs_every_step_in_order(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path, git: Git
) -> None:
    output = greenlane.ok("start", "shop", "--kit", small_kit, "--no-serve")
    assert uv.calls == [*STEPS, DUMP, "run just lint", "run just unit"]
    project = greenlane.folder / "shop"
    log = git(project, "log", "--format=%s", "--name-only").splitlines()
    assert log[:3] == ["Lock the dependencies", "", "uv.lock"]
    assert git(project, "status", "--porcelain") == ""
    gates = output.partition("\nGates\n")[2].splitlines()
    assert [line.split()[:2] for line in gates[:2]] == [["✓", "lint"], ["✓", "unit"]]
    assert "Left to do" not in output
    assert not list((project / "var").rglob("*.log"))


def test_start_serves_at_the_end(greenlane: Greenlane, uv: FakeUv, small_kit: Path) -> None:
    port = free_port(None, default=18000)
    output = greenlane.ok("start", "shop", "--kit", small_kit, "--port", port)
    assert uv.calls[-1] == f"run just serve --port {port}"
    assert f"http://localhost:{port}" in output


def test_json_reports_steps_and_gates_and_does_not_serve(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    done = greenlane.document("start", "shop", "--kit", small_kit)["set_up"]
    assert done["green"] is True
    assert [step["name"] for step in done["steps"]] == ["lock", "install", "setup"]
    assert [(gate["name"], gate["outcome"]) for gate in done["gates"]] == [
        ("lint", "ok"),
        ("unit", "ok"),
    ]
    assert not any("serve" in call for call in uv.calls)


def test_new_with_setup_does_the_same(greenlane: Greenlane, uv: FakeUv, small_kit: Path) -> None:
    greenlane.ok("new", "shop", "--kit", small_kit, "--preset", "minimal", "--setup")
    assert uv.calls == [*STEPS, DUMP, "run just lint", "run just unit"]


@pytest.mark.parametrize("position", range(3))
def test_a_step_that_cannot_be_done_becomes_an_instruction(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path, position: int
) -> None:
    uv.fail(STEPS[position], OFFLINE)
    output = greenlane.ok("start", "shop", "--kit", small_kit)
    left = output.partition("\nLeft to do\n")[2].splitlines()
    commands = [line.strip() for line in left if line.startswith("  ")]
    assert "the network could not be reached" in " ".join(left[:2])
    assert commands[0] == f"cd {greenlane.folder / 'shop'}"
    assert commands[1:] == [
        *[f"uv {step}" for step in STEPS[position:]],
        "uv run just check",
        "uv run just serve",
    ]
    assert uv.calls == STEPS[: position + 1]
    assert (greenlane.folder / "shop/app/desk/__init__.py").exists()


def test_a_step_that_the_project_fails_is_a_failure(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    uv.fail("lock", "error: No solution found when resolving dependencies")
    done = greenlane.run("start", "shop", "--kit", small_kit)
    assert done.returncode == 1
    assert "  | first line" in done.stdout
    assert "  | error: No solution found when resolving dependencies" in done.stdout
    log = greenlane.folder / "shop/var/greenlane/lock.log"
    assert str(log) in done.stdout
    assert log.read_text().startswith("first line\n")


def test_a_red_gate_is_status_1_and_is_not_served(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    uv.fail("run just lint")
    done = greenlane.run("start", "shop", "--kit", small_kit)
    assert done.returncode == 1
    assert uv.calls[-1] == "run just unit", "the other gates run all the same; nothing is served"
    gates = done.stdout.partition("\nGates\n")[2].splitlines()
    assert [line.split()[:2] for line in gates[:2]] == [["✗", "lint"], ["✓", "unit"]]
    assert "  uv run just lint" in done.stdout
    uv.log.unlink()
    data = greenlane.document("start", "again", "--kit", small_kit, status=1)["set_up"]
    assert data["green"] is False
    assert data["gates"][0]["tail"] == ["first line", "it broke"]


def test_without_uv_there_is_an_instruction(
    greenlane: Greenlane, small_kit: Path, tmp_path: Path
) -> None:
    """A greenlane without the uv package, and no uv on PATH."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "uv.py").write_text("raise ImportError\n")
    for name in ("git", "env"):
        (hidden / name).symlink_to(f"/usr/bin/{name}")
    greenlane.env.update(PYTHONPATH=str(hidden), PATH=str(hidden))
    output = greenlane.ok("start", "shop", "--kit", small_kit)
    assert "docs.astral.sh/uv" in output
    assert "  uv run just setup\n" in output
    assert (greenlane.folder / "shop/.git").is_dir()


def test_a_lock_that_cannot_be_committed_is_an_instruction(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    """The pretended uv locks nothing, so there is no uv.lock to commit."""
    script = Path(greenlane.env["PATH"].split(":")[0], "uv")
    script.write_text(script.read_text().replace('echo "version = 1" > uv.lock', "true"))
    output = greenlane.ok("start", "shop", "--kit", small_kit, "--no-serve")
    assert "uv.lock could not be committed" in output
    assert "git commit" in output


def test_the_lock_is_committed_as_the_author_of_the_first_commit(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path, git: Git
) -> None:
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    greenlane.ok("start", "shop", "--kit", small_kit, "--no-serve")
    authors = git(greenlane.folder / "shop", "log", "--format=%an").splitlines()
    assert authors == ["greenlane", "greenlane"]


def test_without_git_nothing_is_committed(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    greenlane.ok("new", "shop", "--kit", small_kit, "--no-git", "--setup")
    assert not (greenlane.folder / "shop/.git").exists()


def test_nothing_of_greenlane_leaks_into_the_project(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    scripts = str(Path(sys.executable).parent)
    greenlane.env.update(
        VIRTUAL_ENV=sys.prefix,
        PYTHONHOME="",
        MAKEFLAGS="w",
        GIT_DIR="/nowhere",
        UV_PROJECT_ENVIRONMENT="/nowhere",
        PATH=f"{scripts}:{greenlane.env['PATH']}",
        KEPT="1",
    )
    greenlane.ok("start", "shop", "--kit", small_kit, "--no-serve")
    seen = uv.environment
    leaking = {"VIRTUAL_ENV", "PYTHONHOME", "MAKEFLAGS", "GIT_DIR", "UV_PROJECT_ENVIRONMENT"}
    assert seen.keys() & leaking == set()
    assert seen["KEPT"] == "1"
    if sys.prefix != sys.base_prefix:
        assert scripts not in seen["PATH"].split(":")


def test_a_uv_that_greenlane_brought_is_on_the_projects_path(tmp_path: Path) -> None:
    brought = tmp_path / "venv/bin/uv"
    brought.parent.mkdir(parents=True)
    brought.touch(mode=0o755)
    (brought.parent / "python").touch(mode=0o755)
    env = project_environment(tmp_path / "project", str(brought), {"PATH": "/nowhere"})
    first, rest = env["PATH"].split(":", 1)
    assert rest == "/nowhere"
    assert os.listdir(first) == ["uv"], "and nothing else that lies beside it"  # noqa: PTH208
    assert Path(first, "uv").readlink() == brought
    assert "UV_PYTHON" in env
    chosen = project_environment(tmp_path, None, {"PATH": "", "UV_PYTHON": "3.13"})
    assert chosen["UV_PYTHON"] == "3.13"


def test_a_port_in_use_is_found_before_anything_is_written(
    greenlane: Greenlane, small_kit: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message, hint = greenlane.fails("start", "shop", "--kit", small_kit, "--port", port)
        assert str(port) in message
        assert "--port" in hint
        assert free_port(None, default=port) > port
        with pytest.raises(GreenlaneError, match="No port"):
            free_port(None, default=port, tries=1)
    assert list(greenlane.folder.iterdir()) == []


def test_a_name_is_found_when_none_is_given(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path, tmp_path: Path
) -> None:
    start = ["start", "--kit", small_kit, "--no-serve"]
    assert greenlane.document(*start)["path"] == str(greenlane.folder / "my-app")
    assert greenlane.document(*start)["path"] == str(greenlane.folder / "my-app-2")
    there = greenlane.document(*start, "--dest", tmp_path / "else/where")
    assert there["answers"]["project_name"] == "where"
    beside = greenlane.document(*start, "shop", "--in", tmp_path / "other")
    assert beside["path"] == str(tmp_path / "other/shop")


def test_a_dangling_link_is_not_a_free_folder(tmp_path: Path) -> None:
    (tmp_path / "my-app").symlink_to("nowhere")
    assert free_folder(tmp_path).name == "my-app-2"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_no_child_behind(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path, sent: int, status: int
) -> None:
    greenlane.env["UV_HANG"] = "run just setup"
    process = subprocess.Popen(
        [sys.executable, "-m", "greenlane", "start", "shop", "--kit", str(small_kit)],
        cwd=greenlane.folder,
        env=greenlane.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: "run just setup" in uv.calls)
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == status
    assert "Traceback" not in stderr
    wait_for(lambda: not is_running(process.pid), timeout=10)
    if sent == signal.SIGINT:
        assert "is complete; its set-up is not" in stderr


def test_control_c_ends_the_server_in_good_order(
    greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    greenlane.env["UV_SERVE_FOREVER"] = "1"
    port = free_port(None, default=18000)
    command = ["start", "shop", "--kit", str(small_kit), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "greenlane", *command],
        cwd=greenlane.folder,
        env=greenlane.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: any("just serve" in call for call in uv.calls))
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (0, "")


def is_running(group: int) -> bool:
    """Whether any process of the group is left; the pretended uv would stay for a minute."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool], timeout: float = 15) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.mark.slow
def test_the_small_project_with_the_real_uv(
    greenlane: Greenlane, small_kit: Path, git: Git
) -> None:
    greenlane.env["UV_CACHE_DIR"] = REAL_CACHE
    data = greenlane.document("start", "shop", "--kit", small_kit)
    assert data["set_up"]["green"] is True, json.dumps(data["set_up"], indent=2)
    project = greenlane.folder / "shop"
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "-1", "--format=%s") == "Lock the dependencies"
