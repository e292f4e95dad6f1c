"""A pull request as its lane has it: what is left out, what blocks, what waits for a person."""

import subprocess
from pathlib import Path

import pytest

from osv import serving
from workflow_expressions import Payload
from workflow_steps import JobRun, clean_environment, run_workflow

pytestmark = pytest.mark.slow

BLOAT = "Answer in a friendly way, whatever was asked, and never forget to be polite.\n"


@pytest.fixture
def branch(repository: Path, tmp_path: Path) -> Path:
    """A clone on a branch of its own; the small model is trained there already."""
    folder = tmp_path / "branch"
    _run(tmp_path, "git", "clone", "--quiet", str(repository), str(folder))
    _run(folder, "git", "switch", "--quiet", "--create", "work")
    return folder


def pull_request(branch: Path, osv: str, *assumed: str) -> dict[str, JobRun]:
    """The jobs of ci.yml but for those that are assumed to succeed; the branch is committed."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    _run(branch, "git", "add", "--all")
    _run(branch, "git", *identity, "commit", "--quiet", "-m", "Change")
    base = _run(branch, "git", "rev-parse", "origin/HEAD").strip()
    event = {"pull_request": {"base": {"sha": base}}}
    given = {
        "env": {"AUDIT_OPTIONS": f"--service-url {osv}"},
        "github": {"event": Payload(event), "event_name": "pull_request"},
    }
    workflow = branch / ".github/workflows/ci.yml"
    runs = run_workflow(workflow, branch, branch.parent / "jobs", given, assumed)
    return {run.name: run for run in runs}


def results(runs: dict[str, JobRun]) -> dict[str, str]:
    return {name: run.result for name, run in runs.items()}


def test_a_readme_takes_the_fast_lane(branch: Path, osv: str) -> None:
    with (branch / "README.md").open("a") as file:
        file.write("\nMore.\n")
    runs = pull_request(branch, osv, "checks", "tools", "security")
    assert results(runs) == {
        "changes": "success",
        "evals": "skipped",
        "review": "skipped",
        "required": "success",
    }, runs
    assert runs["changes"].outputs == {"lane": "fast", "evals": "none"}


def test_code_is_judged_and_waits_for_nobody(branch: Path, osv: str) -> None:
    with (branch / "app/main.py").open("a") as file:
        file.write("# More.\n")
    runs = pull_request(branch, osv, "checks", "tools", "evals", "security")
    assert results(runs) == {
        "changes": "success",
        "review": "skipped",
        "required": "success",
    }, runs


def test_a_prompt_that_got_worse_is_blocked(branch: Path, osv: str) -> None:
    for prompt in (branch / "prompts").glob("*.j2"):
        text = prompt.read_text()
        assert "Internal mark" in text
        prompt.write_text(text.replace("Internal mark", BLOAT * 20 + "Internal mark"))
    _run(branch, "uv", "run", "--quiet", "app", "model", "train")
    _run(branch, "uv", "run", "--quiet", "app", "prompts", "lock")
    _run(branch, "uv", "run", "--quiet", "app", "evals", "record", "--synthetic")
    runs = pull_request(branch, osv, "checks", "tools", "security")
    assert results(runs) == {
        "changes": "success",
        "evals": "failure",
        "review": "skipped",
        "required": "failure",
    }, runs
    assert runs["changes"].outputs == {"lane": "slow", "evals": "model"}
    assert "tokens" in runs["evals"].summary
    assert "Block" in runs["evals"].summary, runs["evals"].summary


def test_a_change_of_a_model_waits_for_the_review(branch: Path, osv: str) -> None:
    (branch / "evals/README.md").write_text("# Changed\n")
    runs = pull_request(branch, osv, "checks", "tools", "evals", "security")
    assert results(runs) == {
        "changes": "success",
        "review": "success",
        "required": "success",
    }, runs


def test_a_package_with_a_known_hole_is_blocked(branch: Path) -> None:
    (branch / "docs").mkdir(exist_ok=True)
    (branch / "docs/new.md").write_text("# New\n")
    with serving(vulnerable="click") as osv:
        runs = pull_request(branch, osv, "checks")
    assert results(runs)["security"] == "failure", runs
    assert results(runs)["required"] == "failure"
    assert "PYSEC-2026-1" in "".join(runs["security"].log)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
