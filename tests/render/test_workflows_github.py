"""The rendered workflows, read by GitHub's own parser, and every step of them run with bash."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from github_parser import read_by_github
from greenlane.kit import Kit
from workflow_expressions import Payload
from workflow_steps import JobRun, clean_environment, run_workflow

pytestmark = pytest.mark.slow

DIGEST = "sha256:" + "7" * 64
SIGNS = 'case "$1" in sign-blob) touch release.json.sigstore.json;; esac\n'
PUSHES = f"""\
case "$1" in
  save) touch "$3" ;;
  push) echo "v1: digest: {DIGEST} size: 12" ;;
esac
"""


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
        ("needs.evals.result", "needs.(evals.result", "Unexpected symbol"),
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


def told(runs: list[JobRun]) -> str:
    return "\n".join(f"{run.name}: {run.result}\n  " + "\n  ".join(run.log) for run in runs)


# What a step calls that is not here, and why: each has a stand-in that notes how it was called.
ELSEWHERE = {
    "cosign": ("Sigstore signs and keeps what was signed", SIGNS),
    "docker": ("builds take minutes, and the registry is GitHub's", PUSHES),
    "gh": ("GitHub's API", ""),
}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of stand-ins for PATH; each notes how it was called in the file `called` beside."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name, (_, does) in ELSEWHERE.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n{does}')
        program.chmod(0o755)
    return folder


def surroundings(elsewhere: Path, osv: str) -> dict[str, str]:
    return {
        "PATH": f"{elsewhere}:{clean_environment()['PATH']}",
        "AUDIT_OPTIONS": f"--service-url {osv}",
    }


@pytest.mark.parametrize("name", ["ci", "nightly"])
def test_every_step_passes_in_a_fresh_clone(
    kit: Kit, repository: Path, tmp_path: Path, elsewhere: Path, osv: str, name: str
) -> None:
    workflow = repository / f".github/workflows/{name}.yml"
    given = {"env": surroundings(elsewhere, osv)}
    runs = run_workflow(workflow, repository, tmp_path, given)
    results = {run.name: run.result for run in runs}
    # Nobody has to approve what is on main already.
    assert results.pop("review", "skipped") == "skipped"
    assert set(results.values()) == {"success"}, told(runs)
    if name == "ci":
        checks = re.search(r"^check: (.+)$", (repository / "justfile").read_text(), re.MULTILINE)
        assert checks
        matrix = {f"checks {check}" for check in checks[1].split() if check != "evals"}
        parts = kit.parts.values()
        tools = {it for part in parts for it in part.contributes.get("tool_checks", ())}
        matrix |= {f"tools {check}" for check in tools}
        assert results.keys() == {"changes", "evals", "security", "required"} | matrix
        evals = next(run for run in runs if run.name == "evals")
        assert "### Evals" in evals.summary, "the eval report is not on the page of the run"


def test_every_step_of_a_release_passes_in_a_fresh_clone(
    repository: Path, tmp_path: Path, elsewhere: Path, osv: str
) -> None:
    (tmp_path / "clone").mkdir()
    deployable = tmp_path / "clone/deployable"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(deployable)], check=True)
    # That of the infrastructure asks for an account; here it is enough that it is called.
    recipes = re.sub(r"(?m)^deploy ", "deploy-for-real ", (deployable / "justfile").read_text())
    (deployable / "justfile").write_text(recipes + "\ndeploy where:\n    docker to {{ where }}\n")
    commit(deployable)
    given = {
        "env": surroundings(elsewhere, osv),
        "github": {
            "event": Payload(repository={"private": False}),
            "ref": "refs/tags/v1.0.0",
            "ref_name": "v1.0.0",
        },
        "vars": {"ATTESTATIONS": ""},
    }
    runs = run_workflow(deployable / ".github/workflows/release.yml", deployable, tmp_path, given)
    assert {run.name: run.result for run in runs} == dict.fromkeys(
        ["build", "publish", "deploy"], "success"
    ), told(runs)
    called = (tmp_path / "called").read_text()
    wanted = [
        "docker login ghcr.io --username ada --password-stdin",
        "docker push ghcr.io/acme/my-app/app:v1.0.0",
        "cosign sign-blob --yes --bundle release.json.sigstore.json release.json",
        f"cosign sign --yes ghcr.io/acme/my-app/app@{DIGEST}",
        "gh release create v1.0.0",
        "cosign verify-blob --bundle=release.json.sigstore.json",
    ]
    places = [called.find(line) for line in wanted]
    assert -1 not in places, called
    assert places == sorted(places), called
    release = json.loads((tmp_path / "artifacts/release/release.json").read_text())
    assert release["images"]["app"] == DIGEST
    assert release["evals"]["verdict"] == "pass"


def commit(folder: Path) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "A"], cwd=folder, check=True)


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


def test_a_red_gate_turns_the_required_job_red(
    repository: Path, tmp_path: Path, elsewhere: Path, osv: str
) -> None:
    broken = tmp_path / "broken"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(broken)], check=True)
    (broken / "app/main.py").write_text("import   os\n" + (broken / "app/main.py").read_text())
    workflow = broken / ".github/workflows/ci.yml"
    only_format = re.sub(r"(?m)^          - (?!format$)[a-z-]+\n", "", workflow.read_text())
    assert only_format.count("\n          - ") == 1
    workflow.write_text(only_format)
    commit(broken)
    given = {"env": surroundings(elsewhere, osv)}
    runs = run_workflow(workflow, broken, tmp_path / "jobs", given, assumed=["evals", "tools"])
    assert {run.name: run.result for run in runs} == {
        "changes": "success",
        "checks format": "failure",
        "review": "skipped",
        "security": "success",
        "required": "failure",
    }
