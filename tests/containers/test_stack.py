"""Everything that compose.yaml starts: health, what it may do, a ticket's way through it."""

import json
import time
import urllib.request
from typing import Any

import pytest

import hardening
from container_stack import Stack
from docker_engine import Engine

pytestmark = pytest.mark.slow

SERVICES = ("app", "worker", "inference", "database", "cache")


def call(stack: Stack, path: str, body: object = None) -> Any:
    request = urllib.request.Request(  # noqa: S310  our own address
        stack.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {stack.env['CONTAINER_ACCESS_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        return json.loads(response.read())


def test_all_are_healthy_and_the_database_is_migrated(stack: Stack, docker: Engine) -> None:
    for service in SERVICES:
        health = docker.inspect(stack.id_of(service))["State"]["Health"]["Status"]
        assert (service, health) == (service, "healthy")
    assert docker.inspect(stack.id_of("migrate"))["State"]["ExitCode"] == 0
    assert call(stack, "/readyz") == {"status": "ready", "reasons": {}}


def test_a_ticket_goes_through_all_of_them(stack: Stack) -> None:
    accepted = call(stack, "/tickets", {"text": "My card has not arrived yet. Where is it?"})
    for _ in range(150):
        ticket = call(stack, accepted["url"])
        if ticket["draft"] and ticket["draft"]["state"] == "done":
            break
        time.sleep(0.2)
    assert ticket["draft"], ticket
    assert (ticket["intent"], ticket["draft"]["state"]) == ("card_arrival", "done"), ticket
    assert ticket["draft"]["citations"]
    # The worker asked the small model's server, and had no need of its own.
    counted = stack.read("http://inference:8000/metrics", stack.env["INFERENCE_KEY"])
    assert 'inference_predictions_total{outcome="sure"} 1.0' in counted
    assert "inference_fallbacks_total{" not in stack.read("http://worker:9100/metrics", "")


def test_the_server_answers_as_the_model_in_the_application(stack: Stack) -> None:
    code = """
import asyncio
from app.ai.classifier import Classifier
from app.main import create_app
from app.settings import Settings

async def ask():
    gateway = create_app().state.services.gateway
    here = Classifier.load(Settings().model_path)
    for text in ("where is my card", "refund", "", "zzz", "card " * 500):
        assert await gateway.predict(text, None) == here.predict(text), text
asyncio.run(ask())
print("the same")
"""
    assert "the same" in stack.python("app", code)


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_has_more_rights_than_needed(stack: Stack, docker: Engine, service: str) -> None:
    assert hardening.of_container(docker, stack.id_of(service)) == []


def test_a_container_with_rights_is_seen(docker: Engine, image: str) -> None:
    options = ("--detach", "--network=none", "--user=0")
    container = docker.docker("run", *options, image, "sleep", "60").strip()
    found = " ".join(hardening.of_container(docker, container))
    for weakness in ("root", "capabilities", "gain privileges", "can be written"):
        assert weakness in found
    docker.docker("rm", "--force", container)


def test_what_is_inside_reaches_nothing_else(stack: Stack, docker: Engine) -> None:
    for service, internal in (("inference", [True]), ("database", [True]), ("app", [True, False])):
        networks = docker.inspect(stack.id_of(service))["NetworkSettings"]["Networks"]
        found = [docker.inspect(name)["Internal"] for name in sorted(networks)]
        assert found == internal, service


def test_a_flag_switched_in_one_container_is_in_force_in_another(stack: Stack) -> None:
    pinned = stack.inside("worker", "app", "flags", "pin", "escalation", "off", "--reason", "try")
    assert pinned.returncode == 0, pinned.stdout
    shown = stack.inside("app", "app", "flags", "show", "escalation")
    assert '"defaultVariant": "off"' in shown.stdout, shown.stdout
