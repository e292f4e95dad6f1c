"""The whole stack of infra/aws on a stand-in for AWS: made by deploy.py, given versions, good and
bad ones, taken back, removed. The stand-in runs no task: aws_events.py says what one would do.
"""

import copy
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aws_versions import MIGRATION_FAILS, RINGS_AT_HALF
from greenlane.answers import Answers
from greenlane.combinations import everything
from greenlane.render import render
from made import KIT, requirement
from rendering import write
from terraform_tools import aws_server, configuration, missing, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

FORGOTTEN = Path(__file__).parent / "forgotten"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:"
FIRST, SECOND = "0" * 64, "1" * 64
NAME = "my-app-pr-42"


@dataclass
class Stack:
    """`pr-42` of a rendered repository, on an AWS of its own."""

    repository: Path
    environment: dict[str, str]
    events: Path

    def deploy(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Exit status and output of `python -m infra.aws.deploy pr-42 ...`; what AWS saw."""
        seen = len(self._seen())
        packages = [f"--with={requirement(name)}" for name in ("boto3", "click", "httpx2")]
        # Nothing here may reach what is outside; the application it would tell is not there.
        closed = ("env", "HTTPS_PROXY=http://127.0.0.1:9")
        done = run(
            *("uv", "run", "--quiet", "--no-project", *packages, *closed),
            *("python", "-m", "infra.aws.deploy", "pr-42", *arguments),
            cwd=self.repository,
            environment=self.environment,
            seconds=600,
        )
        return done.returncode, done.stdout, self._seen()[seen:]

    def version(self, digest: str) -> tuple[int, str, list[str]]:
        return self.deploy("deploy", "--image", IMAGE + digest)

    def terraform(self, *arguments: str) -> str:
        done = run(
            "terraform",
            *arguments,
            cwd=self.repository / "infra/aws",
            environment=self.environment | {"TF_DATA_DIR": ".terraform/pr-42"},
            seconds=600,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def plan(self, digest: str) -> dict[str, Any]:
        """As `terraform show -json` has it; saved as plan.json in the repository."""
        values = {
            "environment": "pr-42",
            "domain": "pr-42.app.example.com",
            "stable_image": IMAGE + digest,
            "candidate_image": IMAGE + digest,
        }
        options = [f"-var={name}={value}" for name, value in values.items()]
        self.terraform(
            "plan", "-input=false", "-out=test.tfplan", "-var-file=preview.tfvars", *options
        )
        text = self.terraform("show", "-json", "test.tfplan")
        (self.repository / "plan.json").write_text(text)
        return json.loads(text)

    def output(self, name: str) -> Any:
        return json.loads(self.terraform("output", "-json", name))

    def _seen(self) -> list[str]:
        return self.events.read_text().splitlines() if self.events.exists() else []


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    answers: Answers = everything(KIT, "triage")
    folder = tmp_path_factory.mktemp("aws")
    repository = write(render(KIT, answers), folder / "repository")
    aws = repository / "infra/aws"
    shutil.copytree(FORGOTTEN, aws, dirs_exist_ok=True)
    hurry(aws)
    with aws_server(folder / "server.log", folder / "events") as address:
        environment = configuration(folder) | {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-central-1",
            "AWS_MAX_ATTEMPTS": "2",
            "NO_PROXY": "127.0.0.1",
        }
        made = Stack(repository, environment, folder / "events")
        settings = {
            "bucket": "my-app-state-123456789012",
            "key": "preview/pr-42.tfstate",
            "region": "eu-central-1",
        }
        made.terraform("init", *(f"-backend-config={key}={it}" for key, it in settings.items()))
        yield made


def hurry(aws: Path) -> None:
    """Steps of 10, 50 and 100 % that are watched for no time; the zone that the stand-in has."""
    path = aws / "rollout.auto.tfvars.json"
    made = json.loads(path.read_text())
    steps = {it["candidate"]: it | {"minutes": 0} for it in made["rollout_steps"]}
    made["rollout_steps"] = [steps[percent] for percent in (10, 50, 100)]
    path.write_text(json.dumps(made))
    path = aws / "preview.tfvars"
    path.write_text(re.sub(r'(?m)^(zone_id\s*=) ".*"$', r'\1 "Z42"', path.read_text()))


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
def planned(stack: Stack) -> dict[str, Any]:
    return stack.plan(FIRST)


def test_the_policies_accept_the_plan(planned: dict[str, Any], stack: Stack) -> None:
    assert len(changes(planned)) > 80
    assert refused(stack.repository) == []


def test_the_policies_see_planted_mistakes(planned: dict[str, Any], stack: Stack) -> None:
    """In the plan itself: a database and a small model for everyone, and a role for everything."""
    types = {"aws_db_instance", "aws_vpc_security_group_ingress_rule", "aws_iam_role_policy"}
    every = copy.deepcopy(planned["resource_changes"])
    few = [change for change in every if change["type"] in types]
    for change in few:
        after = change["change"]["after"]
        match change["type"]:
            case "aws_db_instance":
                after["publicly_accessible"] = True
            case "aws_vpc_security_group_ingress_rule" if "inference" in change["address"]:
                after |= {"cidr_ipv4": "0.0.0.0/0"}
            case "aws_iam_role_policy":
                statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
                after["policy"] = json.dumps({"Statement": [statement]})
    (stack.repository / "plan.json").write_text(json.dumps({"resource_changes": few}))
    found = refused(stack.repository)
    assert {line.split()[0] for line in found} >= {
        "terraform.public-database",
        "terraform.open-network",
        "terraform.iam-wildcard",
    }
    assert any("to_inference" in line for line in found if "open-network" in line)


def test_nobody_but_the_tasks_reaches_the_small_model(planned: dict[str, Any]) -> None:
    """No listener and no target group is its; one rule lets in, and that one names a group."""
    own = [it for it in planned["resource_changes"] if "module.inference" in it["address"]]
    (service,) = [it["change"]["after"] for it in own if it["type"] == "aws_ecs_service"]
    assert service["load_balancer"] == []
    (connected,) = service["service_connect_configuration"]
    assert connected["service"][0]["client_alias"] == [{"dns_name": "inference", "port": 8000}]
    rules = [
        it["change"]["after"]
        for it in planned["resource_changes"]
        if it["address"] == "aws_vpc_security_group_ingress_rule.to_inference"
    ]
    assert [(it["from_port"], it["cidr_ipv4"], it["cidr_ipv6"]) for it in rules] == [
        (8000, None, None)
    ]


def test_versions_come_and_go_back_and_the_stack_is_removed(stack: Stack) -> None:
    status, output, seen = stack.version(FIRST)
    assert status == 0, output
    assert "ran app db upgrade of 0" in seen
    assert stack.output("weights") == {"stable": 100, "candidate": 0}
    # Empty but for what forgotten/ lists.
    assert changes(stack.plan(FIRST)) == []

    status, output, seen = stack.version(SECOND)
    assert status == 0, output
    assert seen == [
        "ran app db upgrade of 1",
        f"started {NAME}-candidate 1",
        *(f"candidate gets {percent}" for percent in (10, 50, 100, 0)),
        f"ended {NAME}-candidate",
    ]
    assert stack.output("deployed")["stable_image"] == IMAGE + SECOND

    status, output, seen = stack.version(MIGRATION_FAILS * 64)
    assert status == 1
    assert "going back: the migration failed: Essential container in task exited" in output
    assert seen == [f"ran app db upgrade of {MIGRATION_FAILS}"]

    status, output, seen = stack.version(RINGS_AT_HALF * 64)
    assert status == 1
    assert f"going back: it rings: {NAME}-candidate-errors" in output
    assert "https://pr-42.app.example.com could not be told" in output
    assert [line for line in seen if "gets" in line] == [
        f"candidate gets {percent}" for percent in (10, 50, 0)
    ]
    assert seen[-1] == f"ended {NAME}-candidate"
    deployed = stack.output("deployed")
    assert (deployed["stable_image"], deployed["candidate_weight"]) == (IMAGE + SECOND, None)

    status, output, seen = stack.deploy("rollback")
    assert status == 0, output
    assert [line for line in seen if "gets" in line] == ["candidate gets 100", "candidate gets 0"]
    assert not any(line.startswith("ran") for line in seen)
    assert stack.output("deployed")["stable_image"] == IMAGE + FIRST

    status, output, _ = stack.deploy("destroy", "--yes")
    assert status == 0, output
    assert stack.terraform("state", "list") == ""
