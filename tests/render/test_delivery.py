"""Rules, alerts and rollouts of the module `delivery`, by the tools that will read them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

FILES = Path(__file__).parents[2] / "templates/modules/delivery/files"
RULES, RULE_TESTS = FILES / "ops/prometheus/rules", FILES / "ops/prometheus/tests"
PACKAGES = ("prometheus", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """promtool and amtool: those of this machine, or Debian's, unpacked and not installed."""
    if (found := shutil.which("promtool")) and shutil.which("amtool"):
        return Path(found).parent
    if not shutil.which("apt-get"):
        pytest.skip("neither promtool and amtool nor apt-get are here")
    folder = tmp_path_factory.mktemp("debian")
    got = run("apt-get", "download", "-qq", *PACKAGES, cwd=folder)
    if got.returncode:
        pytest.skip(f"Debian's packages cannot be had: {got.stderr[-200:]}")
    for package in folder.glob("*.deb"):
        run("dpkg", "-x", package.name, "root", cwd=folder)
    return folder / "root/usr/bin"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    shutil.copytree(FILES / "ops", tmp_path / "ops")
    return tmp_path / "ops"


def outcome_of(tools: Path, ops: Path, name: str = "*") -> subprocess.CompletedProcess[str]:
    tests = sorted((ops / "prometheus/tests").glob(f"{name}.yml"))
    assert tests
    return run(tools / "promtool", "test", "rules", *tests, cwd=ops)


@pytest.mark.slow
def test_rules_are_valid_and_do_what_their_tests_say(tools: Path, ops: Path) -> None:
    rules = sorted((ops / "prometheus/rules").glob("*.yml"))
    checked = run(tools / "promtool", "check", "rules", "--lint-fatal", *rules, cwd=ops)
    assert checked.returncode == 0, checked.stderr
    done = outcome_of(tools, ops)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("recording.yml", '{outcome="error"}[5m]', '{outcome="slow"}[5m]'),
        ("alerts.yml", "and slo:error_burn:rate5m > 14.4", ""),
        ("alerts.yml", ">= on () group_left () max(rollout_fewest_requests)", "> 0"),
    ],
)
def test_a_broken_rule_fails_its_tests(
    tools: Path, ops: Path, file: str, before: str, after: str
) -> None:
    path = ops / "prometheus/rules" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert any(outcome_of(tools, ops, name).returncode for name in ("rollout", "promises"))


@pytest.mark.slow
def test_alertmanager_hands_what_asks_for_it_to_the_application(tools: Path, ops: Path) -> None:
    path = ops / "alertmanager/alertmanager.yml"
    assert run(tools / "amtool", "check-config", path, cwd=ops).returncode == 0

    def receivers(*labels: str) -> str:
        done = run(
            tools / "amtool", "config", "routes", "test", f"--config.file={path}", *labels, cwd=ops
        )
        return done.stdout.strip()

    assert receivers("rollout=abort", "severity=page") == "application,people"
    assert receivers("severity=ticket") == "people"
    path.write_text(path.read_text().replace("receiver: application", "receiver: nobody"))
    assert run(tools / "amtool", "check-config", path, cwd=ops).returncode != 0


def expressions() -> Iterator[tuple[str, str]]:
    for path in sorted((FILES / "ops/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def parses(tools: Path, folder: Path, found: list[str]) -> subprocess.CompletedProcess[str]:
    """Ask promtool, which takes an expression only in a rule."""
    rules = [{"record": f"r{number}", "expr": text} for number, text in enumerate(found)]
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    return run(tools / "promtool", "check", "rules", path, cwd=folder)


@pytest.mark.slow
def test_every_expression_of_a_dashboard_parses(tools: Path, tmp_path: Path) -> None:
    found = [text for _, text in expressions()]
    assert len(found) > 20
    done = parses(tools, tmp_path, found)
    assert done.returncode == 0, done.stderr
    assert parses(tools, tmp_path, [*found, "sum by (le"]).returncode != 0


def test_panels_do_not_overlap() -> None:
    for path in (FILES / "ops/dashboards").glob("*.json"):
        places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
        assert len({(place["x"], place["y"]) for place in places}) == len(places)


def test_alerts_are_on_promises() -> None:
    text = (RULES / "alerts.yml").read_text()
    assert not re.search(r"cpu|memory|disk", text), "machines are no promise to anybody"
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["summary"]
