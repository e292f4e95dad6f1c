"""What Argo Rollouts and a load balancer get is what rollout.yaml says."""

import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from app.cli import main
from app.delivery.rendering import argo, ecs
from app.delivery.rollout import load

ROLLOUT = load(Path("rollout.yaml"))
STAGES = ROLLOUT.stages("application")


def made(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(argo(ROLLOUT, "application", ROLLOUT.regions[0])[name]))


def test_argo_gets_every_stage_and_watches_from_the_first() -> None:
    canary = made("rollout-canary.yaml")[0]["spec"]["strategy"]["canary"]
    steps = canary["steps"]
    assert [step["setWeight"] for step in steps if "setWeight" in step] == [
        stage.percent[ROLLOUT.regions[0]] for stage in STAGES
    ]
    waited = [int(step["pause"]["duration"][:-1]) for step in steps if "pause" in step]
    assert sum(waited) == sum(stage.minutes for stage in STAGES) * 60
    assert canary["analysis"]["startingStep"] == 1


def test_every_analysis_that_is_named_is_there_and_holds_without_data() -> None:
    templates = {item["metadata"]["name"]: item for item in made("analysis-templates.yaml")}
    named = yaml.safe_dump(
        [made("rollout-canary.yaml"), made("rollout-blue-green.yaml")], default_flow_style=False
    )
    for name, template in templates.items():
        assert f"templateName: {name}" in named
        for metric in template["spec"]["metrics"]:
            # Argo: neither success nor failure is inconclusive, and that holds the rollout.
            assert "len(result) > 0" in metric["successCondition"]
            assert metric["failureCondition"] == "false" or "len(result) > 0" in str(
                metric["failureCondition"]
            )
            query = metric["provider"]["prometheus"]["query"]
            assert f">= {ROLLOUT.fewest_requests.to_promote}" in query


def test_weights_of_a_load_balancer_add_up() -> None:
    text = ecs(ROLLOUT, "application", ROLLOUT.regions[0])["rollout.auto.tfvars.json"]
    steps = json.loads(text)["rollout_steps"]
    assert {step["candidate"] + step["current"] for step in steps} == {100}
    assert steps[-1]["current"] == 0


def test_the_command_writes_what_is_made(tmp_path: Path) -> None:
    call = ["rollout", "render", "argo", "--into", str(tmp_path)]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == argo(
        ROLLOUT, "application", ROLLOUT.regions[0]
    )


def test_an_unknown_region_is_refused() -> None:
    result = CliRunner().invoke(main, ["rollout", "render", "ecs", "--region", "moon"])
    assert result.exit_code == 1
    assert "no region 'moon'" in result.output


def test_show_names_the_steps_and_the_objectives() -> None:
    result = CliRunner().invoke(main, ["rollout", "show"])
    assert result.exit_code == 0, result.output
    assert "1 % for 30 min" in result.output
    assert "p95" in result.output
