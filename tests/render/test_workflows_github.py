"""The rendered workflows, read by GitHub's own parser, and every step of them run with bash."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from greenlane.combinations import everything
from greenlane.kit import Kit
from greenlane.project import create
from workflow_steps import JobRun, clean_environment, run_workflow

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).with_name("github")
# Read at import: each test is given a home of its own, and would fetch everything again.
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@pytest.fixture(scope="session")
def parser() -> Path:
    """GitHub's reader of workflows as one script for node, made once and kept between runs."""
    assert shutil.which("npm"), "npm is needed: apt-get install nodejs npm"
    inputs = [SOURCE / name for name in ("check.js", "package.json", "package-lock.json")]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    folder = CACHES / "greenlane-tests" / f"github-parser-{state}"
    if not (folder / "check.cjs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for path in inputs:
            shutil.copy(path, folder)
        for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder / "check.cjs"


def read_by_github(parser: Path, *workflows: Path) -> str:
    """What GitHub's parser complains of; empty when there is nothing."""
    done = subprocess.run(
        ["node", str(parser), *map(str, workflows)], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (not done.stdout), done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_github_can_read_every_workflow(parser: Path, rendered: Path) -> None:
    found = sorted((rendered / ".github/workflows").glob("*.yml"))
    assert len(found) >= 2
    assert read_by_github(parser, *found) == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("needs: [", "needs: [nobody, ", "unknown job 'nobody'"),
        ("matrix.check", "matrix.chek", "Context access might be invalid: chek"),
        ("{{ always()", "{{ alway()", "Unrecognized function: 'alway'"),
        ("join(needs.*.result, ' ')", "join(needs.*.result", "Unexpected symbol"),
        ("    steps:\n", "    stepz:\n", "Unexpected value 'stepz'"),
    ],
)
def test_github_complains_of_a_planted_mistake(
    parser: Path, rendered: Path, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    text = (rendered / ".github/workflows/ci.yml").read_text()
    assert old in text
    (tmp_path / "ci.yml").write_text(text.replace(old, new, 1))
    assert complaint in read_by_github(parser, tmp_path / "ci.yml")


@pytest.fixture(scope="module")
def repository(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of all parts, locked and committed, as somebody would push it."""
    app = sorted(kit.apps)[0]
    folder = tmp_path_factory.mktemp("pushed") / "my-app"
    created = create(kit, everything(kit, app), folder)
    assert created.commit_id, created.skipped
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (
        ["uv", "lock", "--quiet"],
        ["git", "add", "uv.lock"],
        ["git", *identity, "commit", "--quiet", "-m", "Lock"],
    ):
        subprocess.run(command, cwd=folder, env=clean_environment(), check=True)
    return folder


def told(runs: list[JobRun]) -> str:
    return "\n".join(f"{run.name}: {run.result}\n  " + "\n  ".join(run.log) for run in runs)


@pytest.mark.parametrize("name", ["ci", "nightly"])
def test_every_step_passes_in_a_fresh_clone(repository: Path, tmp_path: Path, name: str) -> None:
    workflow = repository / f".github/workflows/{name}.yml"
    runs = run_workflow(workflow, repository, tmp_path)
    assert {run.result for run in runs} == {"success"}, told(runs)
    if name == "ci":
        checks = re.search(r"^check: (.+)$", (repository / "justfile").read_text(), re.MULTILINE)
        assert checks
        ran = {run.name for run in runs}
        assert ran == {*(f"checks {check}" for check in checks[1].split()), "sbom", "required"}
        evals = next(run for run in runs if run.name == "checks evals")
        assert "### Evals" in evals.summary, "the eval report is not on the page of the run"


@pytest.fixture
def next_greenlane(tmp_path: Path) -> Path:
    """greenlane's own source with a kit of another version; beside it a `gh` that takes notes."""
    root, copy = Path(__file__).parents[2], tmp_path / "next"
    for name in ("generator", "templates"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(root / name, copy)
    head = copy / "templates/kit.yml"
    head.write_text(re.sub(r"(?m)^version: .*$", "version: 99.0.0", head.read_text()))
    (copy / "templates/base/files/NEW.md").write_text("# New\n")
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n')
    gh.chmod(0o755)
    return copy


def update_of(repository: Path, folder: Path, source: Path) -> JobRun:
    given = {
        "vars": {"GREENLANE_SOURCE": str(source) if source.name else ""},
        "secrets": {"GREENLANE_TOKEN": ""},
        "github": {"token": "token"},
        "env": {"PATH": f"{folder / 'bin'}:{clean_environment()['PATH']}"},
    }
    workflow = repository / ".github/workflows/update.yml"
    number = len(list(folder.iterdir()))
    (run,) = run_workflow(workflow, repository, folder / f"run-{number}", given)
    return run


def test_the_update_opens_one_pull_request(
    repository: Path, next_greenlane: Path, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(origin)], check=True)
    assert update_of(origin, tmp_path, Path()).result == "skipped"
    run = update_of(origin, tmp_path, next_greenlane)
    assert run.result == "success", told([run])
    asked = (tmp_path / "asked").read_text().splitlines()
    branch = "greenlane/update-99.0.0"
    assert [" ".join(line.split()[:2]) for line in asked] == [
        "auth setup-git",
        "pr create",
        "workflow run",
    ]
    assert (
        f"--head {branch} --title Update by greenlane: 99.0.0 --body-file var/update/" in asked[1]
    )
    assert "to 99.0.0" in run.summary
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", branch], cwd=origin, capture_output=True, check=True
    )
    assert b"NEW.md" in listed.stdout.split()
    again = update_of(origin, tmp_path, next_greenlane)
    assert again.result == "success", told([again])
    assert len((tmp_path / "asked").read_text().splitlines()) == 3, "a second pull request"


def test_a_red_gate_turns_the_required_job_red(repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(broken)], check=True)
    (broken / "app/main.py").write_text("import   os\n" + (broken / "app/main.py").read_text())
    workflow = broken / ".github/workflows/ci.yml"
    only_format = re.sub(r"(?m)^          - (?!format$)[a-z]+\n", "", workflow.read_text())
    assert only_format.count("\n          - ") == 1
    workflow.write_text(only_format)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", *identity, "commit", "--quiet", "-am", "Break"], cwd=broken, check=True)
    runs = {run.name: run.result for run in run_workflow(workflow, broken, tmp_path / "jobs")}
    assert runs == {"checks format": "failure", "sbom": "success", "required": "failure"}
