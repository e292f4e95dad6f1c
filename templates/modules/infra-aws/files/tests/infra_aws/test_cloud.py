"""What a deployment reads from AWS's answers, and whom it tells; AWS itself is asked elsewhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner

from infra.aws import deploy
from infra.aws.cloud import Cloud, RolloutError
from infra.aws.stack import Deployed, Images

WANTED = "task:2"


class Client:
    """One client for all services, with the answers that it is given."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def client(self, _service: str) -> "Client":
        return self

    def __getattr__(self, name: str) -> Any:
        return lambda **_asked: self._answers[name]


def cloud(**answers: Any) -> Cloud:
    made = Cloud("eu-central-1", look_s=0)
    made._session = Client(**answers)  # pyrefly: ignore[bad-assignment]
    return made


def deployed(url: str = "https://app.example.com") -> Deployed:
    return Deployed(
        images=Images("old", "new"),
        cluster="app",
        services={"app": WANTED},
        alarms=[],
        migration="migrate",
        subnets=[],
        group="group",
        log_group="logs",
        url=url,
        token="app/access-token",
    )


def service(definition: str, **newest: Any) -> dict[str, Any]:
    found = {"serviceName": "app", "taskDefinition": definition, "runningCount": 0}
    return {"services": [found | {"desiredCount": 1, "deployments": [newest]}]}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (service("task:1"), "went back"),
        (service(WANTED, rolloutState="FAILED", rolloutStateReason="breaker"), "breaker"),
    ],
)
def test_a_service_that_gave_up_is_not_waited_for(answer: dict[str, Any], reason: str) -> None:
    with pytest.raises(RolloutError, match=reason):
        cloud(describe_services=answer).wait_until_well(deployed())


def test_a_migration_that_fails_says_why() -> None:
    task = {"taskArn": "t", "lastStatus": "STOPPED", "stoppedReason": "exit", "containers": [{}]}
    asked = cloud(run_task={"tasks": [task]}, describe_tasks={"tasks": [task]})
    with pytest.raises(RolloutError, match="the migration failed: exit"):
        asked.migrate(deployed())


@contextmanager
def application(status: int) -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """Its address, and what it is told: path, authorization, body."""
    told: list[tuple[str, str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_application_is_told_which_version_was_taken_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = cloud(get_secret_value={"SecretString": "secret"})
    with application(200) as (url, told):
        asked.tell(deployed(url), "new")
    labels = {"rollout": "version-taken-back", "version": "new"}
    body = {"alerts": [{"status": "firing", "labels": labels}]}
    assert told == [("/rollouts/alerts", "Bearer secret", body)]
    assert capsys.readouterr().err == ""


def test_who_cannot_be_told_is_named_and_nothing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    asked = cloud(get_secret_value={"SecretString": "secret"})
    with application(401) as (url, _told):
        asked.tell(deployed(url), "new")
    assert f"{url} could not be told" in capsys.readouterr().err


def test_what_aws_refuses_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_region: str) -> Cloud:
        raise NoCredentialsError

    monkeypatch.setattr(deploy, "Cloud", refused)
    done = CliRunner().invoke(deploy.cli, ["pr-42", "rollback"])
    assert done.exit_code == 1
    assert "Error: AWS refused: Unable to locate credentials" in done.output
