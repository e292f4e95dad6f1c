"""The whole stack of infra/aws on a stand-in for AWS: made, given other weights, removed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greenlane.answers import Answers
from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from rendering import write
from terraform_tools import aws_server, configuration, missing, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

FORGOTTEN = Path(__file__).parent / "forgotten"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:" + "a" * 64
Terraform = Callable[..., str]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit = load_kit()
    answers: Answers = everything(kit, "triage")
    return write(render(kit, answers), tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="module")
def terraform(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform in the stack `pr-42`, as preview.tfvars has it, on an AWS of its own."""
    folder = tmp_path_factory.mktemp("aws")
    shutil.copy(repository / "slo.yaml", folder)
    stack = Path(shutil.copytree(repository / "infra/aws", folder / "infra/aws"))
    shutil.copytree(FORGOTTEN, stack, dirs_exist_ok=True)
    with aws_server(folder / "server.log") as address:
        environment = configuration(folder) | {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-central-1",
            "AWS_MAX_ATTEMPTS": "2",
            "NO_PROXY": "127.0.0.1",
        }

        def call(*arguments: str, weight: str = "") -> str:
            """`weight` given: with the variables of a plan. none: no candidate runs."""
            command = ["terraform", f"-chdir={stack}", *arguments]
            if weight:
                command += ["-input=false", "-var-file=preview.tfvars", *variables(weight)]
            done = run(*command, cwd=stack, environment=environment, seconds=600)
            assert done.returncode == 0, done.stdout
            return done.stdout

        call("init")
        yield call


def variables(weight: str) -> list[str]:
    values = {
        "environment": "pr-42",
        "domain": "pr-42.example.com",
        "zone_id": "Z42",
        "stable_image": IMAGE,
        "candidate_image": IMAGE,
    }
    if weight != "none":
        values["candidate_weight"] = weight
    return [f"-var={name}={value}" for name, value in values.items()]


def weights(terraform: Terraform) -> dict[str, int]:
    return json.loads(terraform("output", "-json", "weights"))


def plan(terraform: Terraform, repository: Path, weight: str, *options: str) -> dict[str, Any]:
    """As `terraform show -json` has it; saved as plan.json in the repository."""
    terraform("plan", "-out=test.tfplan", *options, weight=weight)
    text = terraform("show", "-json", "test.tfplan")
    (repository / "plan.json").write_text(text)
    return json.loads(text)


def changes(planned: dict[str, Any]) -> list[str]:
    return [
        change["address"]
        for change in planned["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    ]


def refused(repository: Path) -> list[str]:
    """What the policies say of the plan that was made last."""
    program = str(Path(__file__).parents[1] / "judge_plan.py")
    options = ("--quiet", "--no-project", "--with", "regopy==0.4.6", "--with", "pyyaml")
    done = run(
        "uv", "run", *options, "python", program, ".", "plan.json", cwd=repository, seconds=300
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def planned(terraform: Terraform, repository: Path) -> dict[str, Any]:
    return plan(terraform, repository, "none")


def test_the_policies_accept_the_plan(planned: dict[str, Any], repository: Path) -> None:
    assert len(changes(planned)) > 80
    assert refused(repository) == []


def test_the_policies_see_planted_mistakes(planned: dict[str, Any], repository: Path) -> None:
    """In the plan itself: a database for everyone, and a role for everything."""
    types = {"aws_db_instance", "aws_vpc_security_group_ingress_rule", "aws_iam_role_policy"}
    few = [change for change in planned["resource_changes"] if change["type"] in types]
    for change in few:
        after = change["change"]["after"]
        match change["type"]:
            case "aws_db_instance":
                after["publicly_accessible"] = True
            case "aws_vpc_security_group_ingress_rule" if "database" in change["address"]:
                after |= {"cidr_ipv4": "0.0.0.0/0", "from_port": 5432, "to_port": 5432}
            case "aws_iam_role_policy":
                statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
                after["policy"] = json.dumps({"Statement": [statement]})
    (repository / "plan.json").write_text(json.dumps({"resource_changes": few}))
    rules = {line.split()[0] for line in refused(repository)}
    assert {
        "terraform.public-database",
        "terraform.open-network",
        "terraform.iam-wildcard",
    } <= rules


def test_made_given_other_weights_and_removed(terraform: Terraform, repository: Path) -> None:
    terraform("apply", "-auto-approve", weight="none")
    assert weights(terraform) == {"stable": 100, "candidate": 0}
    # Empty but for what forgotten/ lists.
    assert changes(plan(terraform, repository, "none")) == []

    terraform("apply", "-auto-approve", weight="10")
    assert weights(terraform) == {"stable": 90, "candidate": 10}
    planned = plan(terraform, repository, "50")
    assert changes(planned) == ["module.edge.aws_lb_listener_rule.split"]

    terraform("apply", "-auto-approve", weight="50")
    assert weights(terraform) == {"stable": 50, "candidate": 50}
    terraform("destroy", "-auto-approve", weight="50")
    assert terraform("state", "list") == ""
