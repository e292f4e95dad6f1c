"""What a deployment asks of AWS: an image, a migration, tasks that are well, alarms."""

import base64
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from infra.aws.stack import ROOT, Deployed

T = TypeVar("T")

_PATIENCE_S = 900
_LOOK_S = 15


class RolloutError(click.ClickException):
    """The new version is not fit to serve."""


class Cloud:
    def __init__(self, region: str, look_s: float = _LOOK_S) -> None:
        self._session = boto3.session.Session(region_name=region)
        self._look_s = look_s

    def account(self) -> str:
        """The number of the account. Raises ClickException when nobody is signed in to one."""
        try:
            return self._session.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(
                f"AWS does not know who asks: {error} Sign in first, such as by `aws sso login`."
            ) from None

    def push(self, repository: str) -> str:
        """This commit's image by digest; built and pushed unless it is there already."""
        if _git("status", "--porcelain"):
            raise click.ClickException(
                "commit first: an image is named after the commit it is built from"
            )
        commit = _git("rev-parse", "HEAD")
        ecr = self._session.client("ecr")
        found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
        address = found["repositoryUri"]
        if digest := _digest(ecr, repository, commit):
            return f"{address}@{digest}"
        login = ecr.get_authorization_token()["authorizationData"][0]
        _user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
        _docker(
            "login", "--username=AWS", "--password-stdin", login["proxyEndpoint"], given=password
        )
        _docker(
            "build",
            "--platform=linux/amd64",
            f"--build-arg=SOURCE_DATE_EPOCH={_git('log', '-1', '--format=%ct')}",
            f"--tag={address}:{commit}",
            ".",
        )
        _docker("push", f"{address}:{commit}")
        return f"{address}@{_digest(ecr, repository, commit)}"

    def migrate(self, deployed: Deployed) -> None:
        """Run the candidate's migrations once. Raises RolloutError unless they succeed."""
        ecs = self._session.client("ecs")
        network = {"subnets": deployed.subnets, "securityGroups": [deployed.group]}
        started = ecs.run_task(
            cluster=deployed.cluster,
            taskDefinition=deployed.migration,
            launchType="FARGATE",
            startedBy="deploy",
            networkConfiguration={"awsvpcConfiguration": network},
        )
        if not started["tasks"]:
            raise RolloutError(f"the migration could not be started: {started['failures']}")
        arn = started["tasks"][0]["taskArn"]

        def ended() -> dict[str, Any] | None:
            task = ecs.describe_tasks(cluster=deployed.cluster, tasks=[arn])["tasks"][0]
            return task if task["lastStatus"] == "STOPPED" else None

        task = self._wait(ended, "the migration does not end")
        if task["containers"][0].get("exitCode") != 0:
            raise RolloutError(
                f"the migration failed: {task.get('stoppedReason', 'no reason given')}; "
                f"its output is in {deployed.log_group}"
            )

    def wait_until_well(self, deployed: Deployed) -> None:
        """Until each service runs what it should. Raises RolloutError when one went back."""
        ecs = self._session.client("ecs")

        def well() -> bool:
            names = list(deployed.services)
            found = ecs.describe_services(cluster=deployed.cluster, services=names)["services"]
            for service in found:
                name = service["serviceName"]
                if reason := _failure(service, deployed.services[name]):
                    raise RolloutError(f"{name} {reason}; its output is in {deployed.log_group}")
            return all(
                service["runningCount"] >= service["desiredCount"]
                and len(service["deployments"]) == 1
                for service in found
            )

        self._wait(well, "the tasks do not become healthy")

    def ringing(self, deployed: Deployed) -> list[str]:
        """Names of the alarms that ring."""
        found = self._session.client("cloudwatch").describe_alarms(
            AlarmNames=deployed.alarms, StateValue="ALARM"
        )
        return [alarm["AlarmName"] for alarm in found["MetricAlarms"]]

    def watch(self, deployed: Deployed, minutes: float) -> None:
        """For so many minutes. Raises RolloutError as soon as an alarm rings."""
        end = time.monotonic() + minutes * 60
        while True:
            if names := self.ringing(deployed):
                raise RolloutError(f"it rings: {', '.join(names)}")
            if time.monotonic() >= end:
                return
            time.sleep(min(self._look_s, max(0, end - time.monotonic())))

    def tell(self, deployed: Deployed, image: str) -> None:
        """The application that `image` was taken back: its own rollout of models ends with it.

        A rollback does not fail by this: who cannot be told is named.
        """
        import httpx2

        labels = {"rollout": "version-taken-back", "version": image}
        alert = {"alerts": [{"status": "firing", "labels": labels}]}
        try:
            secrets = self._session.client("secretsmanager")
            token = secrets.get_secret_value(SecretId=deployed.token)["SecretString"]
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{deployed.url}/rollouts/alerts"
            httpx2.post(url, json=alert, headers=headers, timeout=10).raise_for_status()
        except (BotoCoreError, ClientError, httpx2.HTTPError) as error:
            click.echo(
                f"{deployed.url} could not be told ({type(error).__name__}). If it rolls out "
                "models: app rollout abort",
                err=True,
            )

    def _wait(self, look: Callable[[], T | None], problem: str) -> T:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(self._look_s)
        raise RolloutError(f"{problem} within {_PATIENCE_S // 60} minutes")


def _failure(service: dict[str, Any], wanted: str) -> str | None:
    """Why a service does not run the task definition `wanted`, if it gave up."""
    if service["taskDefinition"] != wanted:
        return "did not become healthy and went back"
    newest = next(iter(service["deployments"]), {})
    if newest.get("rolloutState") == "FAILED":
        return f"did not become healthy: {newest.get('rolloutStateReason', 'no reason given')}"
    return None


def _digest(ecr: Any, repository: str, tag: str) -> str | None:
    try:
        images = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return None
    return images["imageDetails"][0]["imageDigest"]


def _git(*arguments: str) -> str:
    return _run("git", *arguments, captured=True).strip()


def _docker(*arguments: str, given: str | None = None) -> None:
    _run("docker", *arguments, given=given)


def _run(*command: str, given: str | None = None, captured: bool = False) -> str:
    done = subprocess.run(  # noqa: S603  no shell
        command,
        cwd=ROOT,
        input=given,
        stdout=subprocess.PIPE if captured else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"{command[0]} {command[1]} failed; it says why above")
    return done.stdout or ""
