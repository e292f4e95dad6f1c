"""`just policy` finds what is planted, and the policies that find nothing."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fastapi import FastAPI

from app.cli import main
from app.policy import exceptions, report
from app.policy.rego import Finding, Policies, PolicyError
from app.policy.subjects import collect
from app.settings import Settings
from tests.policy.conftest import FOLDER

TODAY = datetime.now(UTC).date()
FOUND = Finding("compose.root", "compose.yaml", "services.app", "services.app may run as root")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "policies"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_route_that_is_opened_is_found(app: FastAPI, policies: Policies) -> None:
    @app.get("/opened")
    async def opened() -> str:
        return "to everybody"

    data = yaml.safe_load((FOLDER / "data.yaml").read_text())
    data["access"] = yaml.safe_load(Path("access.yaml").read_text())
    found = policies.findings("openapi", app.openapi(), data, "the application")
    places = {(it.rule, it.path) for it in found if it.rule == "openapi.authentication"}
    assert places == {("openapi.authentication", "GET /opened")}


def test_a_rule_that_nothing_breaks_is_found(copied: Path) -> None:
    path = copied / "examples/compose/bad.yaml"
    edit(path, "privileged: true", "privileged: false")
    assert Policies(copied).check("compose") == [
        "compose.rego: nothing breaks compose.privileged; "
        "add to examples/compose/bad.yaml what does"
    ]


def test_a_rule_that_went_blind_is_found(copied: Path) -> None:
    edit(copied / "compose.rego", 'user in {"", "0", "root"}', 'user in {"nobody-at-all"}')
    lines = Policies(copied).check("compose")
    assert any("nothing breaks compose.root" in line for line in lines)
    assert any("the name of root is found: expected" in line for line in lines)


def test_a_name_that_two_rules_have_is_found(copied: Path) -> None:
    edit(copied / "compose.rego", '"compose.writable"', '"compose.root"')
    assert any(
        "several rules are called compose.root" in it for it in Policies(copied).check("compose")
    )


def test_a_good_example_that_is_refused_is_found(copied: Path) -> None:
    edit(copied / "examples/compose/good.yaml", "read_only: true", "read_only: false")
    assert "compose.yaml" not in Policies(copied).check("compose")[0]
    assert "good.yaml is refused" in Policies(copied).check("compose")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("package policies.egress\n\ndeny contains x if {", "unclosed"),
        ("package other\n", "says nothing"),
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_named(copied: Path, text: str, message: str) -> None:
    (copied / "egress.rego").write_text(text)
    with pytest.raises(PolicyError, match=rf"egress\.rego.*{message}"):
        Policies(copied).findings("egress", {"urls": []}, {}, "it")


def exemption(**changed: object) -> exceptions.Exemption:
    fields = {
        "rule": "compose.root",
        "owner": "platform",
        "reason": "The image is replaced in spring",
        "until": TODAY,
    }
    return exceptions.Exemption.model_validate(fields | changed)


def test_an_exception_lets_its_finding_through_until_its_last_day() -> None:
    judged = {"compose"}
    assert exceptions.apply([FOUND], [exemption()], judged, "list") == []
    assert exceptions.apply([FOUND], [exemption(path="services.other")], judged, "list")[0] == FOUND
    ended = exceptions.apply([FOUND], [exemption(until=TODAY - timedelta(days=1))], judged, "list")
    assert [it.rule for it in ended] == ["compose.root", "exception.expired"]


def test_an_exception_that_covers_nothing_is_found() -> None:
    unused = exceptions.apply([], [exemption()], {"compose"}, "list")
    assert [it.rule for it in unused] == ["exception.unused"]
    assert exceptions.apply([], [exemption()], {"terraform"}, "list") == []


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text("- {rule: compose.root, owner: me, reason: because, until: 2030-01-01}\n")
    with pytest.raises(PolicyError, match=r"0\.reason"):
        exceptions.load(path)


def test_the_reports_say_what_was_found(tmp_path: Path) -> None:
    report.write([FOUND], tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text())[0]["rule"] == "compose.root"
    run = json.loads((tmp_path / "policy.sarif").read_text())["runs"][0]
    assert run["results"][0]["ruleId"] == run["tool"]["driver"]["rules"][0]["id"] == "compose.root"


def test_what_is_there_is_collected(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "infra/kubernetes/base").mkdir(parents=True)
    for name in ("kustomization", "one", "two"):
        path = tmp_path / "infra/kubernetes/base" / f"{name}.yaml"
        path.write_text(f"kind: Pod\nmetadata: {{name: {name}}}\n---\n")
    (tmp_path / "models.yaml").write_text("models: {a: {url: 'https://a.example/v1'}}\n")
    plan = tmp_path / "plan.json"
    plan.write_text('{"resource_changes": []}')
    subjects = {it.policy: it.content for it in collect(tmp_path, settings, {"terraform": [plan]})}
    assert subjects.keys() == {"egress", "kubernetes", "models", "openapi", "terraform"}
    names = [item["metadata"]["name"] for item in subjects["kubernetes"]["items"]]
    assert names == ["one", "two"]
    assert subjects["egress"]["urls"] == [
        {"path": "models.yaml models.a.url", "url": "https://a.example/v1"}
    ]


def test_an_input_of_no_policy_is_refused() -> None:
    result = CliRunner().invoke(main, ["policy", "check", "--input", "helm=chart.yaml"])
    assert result.exit_code == 1
    assert "expected POLICY=FILE, with one of compose, egress" in result.output
