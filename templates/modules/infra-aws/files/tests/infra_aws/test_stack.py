"""What the stacks on AWS take from the rest of the repository."""

import json
import re

import click
import pytest
from click.testing import CliRunner

from app.delivery.rendering import ecs
from app.delivery.rollout import load
from infra.aws import deploy
from infra.aws.stack import HERE, ROOT, Stack, Step


@pytest.mark.contract
def test_the_weights_are_those_of_the_rollout() -> None:
    rollout = load(ROOT / "rollout.yaml")
    for name, text in ecs(rollout, "application", rollout.regions[0]).items():
        assert (HERE / name).read_text() == text, "run `just aws-render`"


def test_production_and_a_branch_are_the_same_stack() -> None:
    production, branch = Stack.of("prod"), Stack.of("pr-42")
    assert production.lasting
    assert not branch.lasting
    assert branch.project == production.project
    assert branch.domain == f"pr-42.{production.domain}"
    assert "secret_settings" not in branch.variables.read_text()


@pytest.mark.parametrize("name", ["x", "Prod", "pr_42", "a-very-long-branch", "-pr", "../prod"])
def test_a_name_that_aws_would_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(click.ClickException, match="cannot name a stack"):
        Stack.of(name)


def test_blue_green_is_one_step() -> None:
    stack = Stack.of("prod")
    assert [step.percent for step in stack.steps(at_once=True)] == [100]
    assert stack.steps(at_once=False)[-1] == Step(100, 0)


def test_what_lasts_is_not_destroyed() -> None:
    done = CliRunner().invoke(deploy.cli, ["prod", "destroy", "--yes"])
    assert done.exit_code == 1
    assert "lasting = false" in done.output


def test_the_project_is_the_same_everywhere() -> None:
    project = Stack.of("prod").project
    for path in (*HERE.glob("*.tfvars"), *HERE.glob("bootstrap/*.tfvars")):
        assert re.search(rf'^project\s*= "{project}"$', path.read_text(), re.MULTILINE), path


def test_every_flow_that_alarms_measure_has_numbers() -> None:
    made = json.loads((HERE / "rollout.auto.tfvars.json").read_text())
    assert all(step["candidate"] + step["current"] == 100 for step in made["rollout_steps"])
