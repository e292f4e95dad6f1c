"""The rendered GitLab pipeline: read by GitLab's own schema, and run whole by gitlab-ci-local."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenlane.combinations import selection
from greenlane.kit import Kit
from greenlane.project import create
from made import greenlane
from preview_places import stand_ins, told
from rendering import tool
from workflow_steps import clean_environment

SOURCE = Path(__file__).with_name("gitlab")
# Read at import: each test is given a home of its own, and would fetch everything again.
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
IDENTITY = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]


def pipeline(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / ".gitlab-ci.yml").read_text())


def schema(*files: Path) -> str:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *map(str, files))
    return "" if done.returncode == 0 else done.stdout


def test_gitlabs_schema_is_met(rendered: Path) -> None:
    files = [rendered / ".gitlab-ci.yml", *sorted((rendered / ".gitlab/review").glob("*.yml"))]
    assert len(files) == 3
    assert schema(*files) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needs: [set-up]", "needs: 3"),
        ("  script:", "  skript:"),
        ("policy: pull\n", "policy: p\n"),
    ],
)
def test_the_schema_refuses_a_planted_mistake(
    rendered: Path, tmp_path: Path, old: str, new: str
) -> None:
    text = (rendered / ".gitlab-ci.yml").read_text()
    assert old in text
    (tmp_path / ".gitlab-ci.yml").write_text(text.replace(old, new))
    assert schema(tmp_path / ".gitlab-ci.yml")


def test_it_runs_what_just_check_runs(rendered: Path) -> None:
    recipe = re.search(r"^check: (.+)$", (rendered / "justfile").read_text(), re.MULTILINE)
    assert recipe
    (matrix,) = pipeline(rendered)["checks"]["parallel"]["matrix"]
    assert sorted(["evals", *matrix["CHECK"]]) == recipe[1].split()


def test_it_has_the_five_stages_and_each_job_is_in_one_of_them(rendered: Path) -> None:
    made = pipeline(rendered)
    assert made["stages"] == ["build", "test", "evals", "security", "deploy"]
    jobs = {name: job for name, job in made.items() if "stage" in job}
    assert {job["stage"] for job in jobs.values()} == {*made["stages"], ".post"}


def test_the_last_job_needs_every_other_of_a_merge_request(rendered: Path) -> None:
    made = pipeline(rendered)
    jobs = {name for name, job in made.items() if "stage" in job and "rules" not in job}
    needs = {need if isinstance(need, str) else need["job"] for need in made["required"]["needs"]}
    assert needs == jobs - {"required"} | {"review"}


def test_only_a_person_deploys_and_only_from_a_tag(rendered: Path) -> None:
    made = pipeline(rendered)
    assert made["deploy"]["rules"] == [{"if": "$CI_COMMIT_TAG =~ /^v/", "when": "manual"}]
    assert made["deploy"]["needs"] == ["release", "verify"]
    slow = yaml.safe_load((rendered / ".gitlab/review/slow.yml").read_text())["review"]
    assert slow["rules"] == [{"when": "manual", "allow_failure": False}]
    assert slow["environment"]["name"] == "models"


def test_renovate_waits_a_week(rendered: Path) -> None:
    path = rendered / "renovate.json"
    done = tool("check-jsonschema", "--builtin-schema", "vendor.renovate", str(path))
    assert done.returncode == 0, done.stdout
    settings = yaml.safe_load(path.read_text())
    assert settings["minimumReleaseAge"] == "7 days"
    # Its own patterns know the names of Compose files; those of manifests it is told.
    manifest = "infra/kubernetes/overlays/preview/database.yaml"
    patterns = [it.strip("/") for it in settings["kubernetes"]["managerFilePatterns"]]
    assert (rendered / manifest).exists()
    assert any(re.search(it, manifest) for it in patterns)


@pytest.fixture(scope="session")
def programs() -> Path:
    """A folder with gitlab-ci-local and the Node that it needs, made once and kept between runs."""
    assert shutil.which("npm"), "npm is needed: apt-get install nodejs npm"
    if not shutil.which("rsync"):
        subprocess.run(["apt-get", "install", "--quiet=2", "--yes", "rsync"], check=True)
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = CACHES / "greenlane-tests" / f"gitlab-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "node_modules/.bin/gitlab-ci-local").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "node_modules/.bin"


@pytest.fixture(scope="session")
def on_gitlab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest repository that has the pipeline, locked and committed."""
    folder = tmp_path_factory.mktemp("gitlab") / "my-app"
    greenlane("new", str(folder), "--preset", "minimal", "--with", "ci-gitlab")
    # That it has a browser is enough here: GitHub's workflow is run with all pages.
    recipes = (folder / "justfile").read_text()
    assert "-m browser " in recipes
    (folder / "justfile").write_text(recipes.replace("-m browser ", "-m browser -k wrong "))
    run(folder, "uv", "lock", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def branch(on_gitlab: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "branch"
    run(tmp_path, "git", "clone", "--quiet", str(on_gitlab), str(folder))
    run(folder, "git", "switch", "--quiet", "--create", "work")
    return folder


def merge_request(
    branch: Path, programs: Path, osv: str, *jobs: str, path: str = "", **more: str
) -> tuple[bool, str]:
    """Run the pipeline of a merge request: whether it passed, and what it printed.

    `path` comes before PATH, and `more` are more variables.
    """
    commit(branch)
    base = run(branch, "git", "rev-parse", "origin/HEAD").strip()
    env = clean_environment()
    variables = {
        "AUDIT_OPTIONS": f"--service-url {osv}",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "UV_CACHE_DIR": env["UV_CACHE_DIR"],
    } | more
    given = [f"--variable={key}={value}" for key, value in variables.items()]
    options = ["--force-shell-executor", "--shell-isolation", "--concurrency=2", *given, *jobs]
    done = subprocess.run(
        [str(programs / "gitlab-ci-local"), *options],
        cwd=branch,
        env={**env, "PATH": f"{path}{programs}:{env['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_pipeline_runs_whole(branch: Path, programs: Path, osv: str) -> None:
    (branch / "README.md").write_text("# Changed\n")
    passed, output = merge_request(branch, programs, osv)
    assert passed, output[-6000:]
    made = pipeline(branch)
    jobs = {
        f"{name}: [{check}]"
        for name in ("checks", "tools")
        for (matrix,) in [made[name]["parallel"]["matrix"]]
        for check in matrix["CHECK"]
    }
    jobs |= {"lane", "set-up", "evals", "review", "packages", "required"}
    ended = re.findall(r"(?m)^ PASS  (\S+(?: \[[a-z-]+\])?)\s*$", output)
    assert set(ended) >= jobs, output[-3000:]
    assert "fast lane" in output
    assert (branch / "var/reports/unit.junit.xml").exists()
    assert (branch / "var/sbom.json").exists()


@pytest.mark.slow
def test_a_red_gate_stops_the_pipeline(branch: Path, programs: Path, osv: str) -> None:
    (branch / "app/main.py").write_text("import   os\n" + (branch / "app/main.py").read_text())
    definition = branch / ".gitlab-ci.yml"
    only_format = re.sub(
        r"(?m)^          - (?!format$|browser$)[a-z-]+\n", "", definition.read_text()
    )
    definition.write_text(only_format)
    recipes = (branch / "justfile").read_text().replace("    uv run app setup\n", "")
    (branch / "justfile").write_text(re.sub(r"(?m)^    .*(train|seed|playwright).*\n", "", recipes))
    passed, output = merge_request(branch, programs, osv)
    assert not passed
    assert re.search(r"(?m)^ FAIL  checks: \[format\]", output), output[-3000:]
    assert not re.search(r"(?m)^ PASS  required", output), output[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "lane", "review"),
    [
        ("README.md", "fast", "other"),
        ("app/main.py", "code", "other"),
        ("slo.yaml", "slow", "slow"),
    ],
)
def test_the_lane_says_who_reviews(
    branch: Path, programs: Path, osv: str, path: str, lane: str, review: str
) -> None:
    with (branch / path).open("a") as file:
        file.write("\n# Changed\n")
    passed, output = merge_request(branch, programs, osv, "lane")
    assert passed, output
    assert f"{lane} lane" in output
    chosen = branch / ".gitlab/review" / f"{review}.yml"
    assert (branch / "var/review.yml").read_text() == chosen.read_text()


@pytest.mark.slow
def test_a_merge_request_is_shown_and_ends(
    kit: Kit, tmp_path: Path, programs: Path, just: str
) -> None:
    pushed, branch = tmp_path / "pushed", tmp_path / "branch"
    modules = ["ci-gitlab", "infra-kubernetes", "infra-vps"]
    create(kit, selection(kit, sorted(kit.apps)[0], modules), pushed)
    run(tmp_path, "git", "clone", "--quiet", str(pushed), str(branch))
    run(branch, "git", "switch", "--quiet", "--create", "$(touch${IFS}PWNED)")
    # A stand-in builds the image; gitlab-ci-local would have Docker start the one of the service.
    pipeline = branch / ".gitlab-ci.yml"
    alone, count = re.subn(r"(?m)^  services:\n(?:    .*\n)+", "", pipeline.read_text())
    assert count
    pipeline.write_text(alone)
    places, notes = stand_ins(tmp_path, just)
    asked = {
        "path": f"{places}:",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_TITLE": '"; touch PWNED; "',
        "CI_PROJECT_ID": "7",
        "PREVIEWS": "true",
        "PREVIEW_HOST": "deploy@203.0.113.7",
        "PREVIEW_KEY": "the key",
    }
    passed, output = merge_request(branch, programs, "", "preview", **asked)
    assert passed, output
    shown = told(notes)
    assert any(re.search(r"^ssh .* -- deploy@203.0.113.7 up 12$", line) for line in shown), output
    assert "kubectl get job seed --namespace my-app-pr-12" in "\n".join(shown)
    passed, output = merge_request(branch, programs, "", "end-preview", **asked)
    assert passed, output
    ended = told(notes)
    assert [line for line in ended if line.startswith("kubectl")] == [
        "kubectl delete namespace my-app-pr-12 --ignore-not-found --wait=false"
    ]
    assert any(line.endswith(" down 12") for line in ended)
    assert not list(tmp_path.rglob("PWNED"))


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", *IDENTITY, "commit", "--quiet", "--allow-empty", "-m", "A")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
