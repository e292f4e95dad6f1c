"""What would happen if moto ran anything: tasks end, versions fail, alarms ring; and a record.

moto keeps what it is told and runs nothing. So a version's digest says how it behaves, as
aws_versions.py has it, and what one would see of a deployment is written to a file, a line for
each: a task that ran, a service that started or ended, the candidate's share.
"""

from collections.abc import Callable
from pathlib import Path

from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ecs.models import EC2ContainerServiceBackend, Service, Task, ecs_backends
from moto.elbv2.models import ELBv2Backend, FakeRule
from moto.moto_api import state_manager

from aws_versions import MIGRATION_FAILS, RINGS_AT_HALF

run_task = EC2ContainerServiceBackend.run_task
create_service = EC2ContainerServiceBackend.create_service
delete_service = EC2ContainerServiceBackend.delete_service
modify_rule = ELBv2Backend.modify_rule
describe_alarms = CloudWatchResponse.describe_alarms


def note_in(path: str) -> None:
    """From now on."""

    def note(*words: object) -> None:
        with Path(path).open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    state_manager.set_transition("ecs::task", {"progression": "immediate"})
    # It adds up the memory of containers; on Fargate the task has it.
    EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(lambda _: {})
    EC2ContainerServiceBackend.run_task = running(note)
    EC2ContainerServiceBackend.create_service = starting(note)
    EC2ContainerServiceBackend.delete_service = ending(note)
    ELBv2Backend.modify_rule = sharing(note)
    CloudWatchResponse.describe_alarms = both_filters


def version(backend: EC2ContainerServiceBackend, definition: str) -> str:
    """The first letter of its image's digest."""
    image = backend.describe_task_definition(definition).container_definitions[0]["image"]
    return image.partition("@sha256:")[2][0]


def running(note: Callable[..., None]) -> Callable[..., list[Task]]:
    def run(self: EC2ContainerServiceBackend, *given: object, **asked: object) -> list[Task]:
        tasks = run_task(self, *given, **asked)
        for task in tasks:
            letter = version(self, task.task_definition_arn)
            task.containers[0].exitCode = int(letter == MIGRATION_FAILS)
            task.stopped_reason = "Essential container in task exited"
            note("ran", *task.containers[0].command, "of", letter)
        return tasks

    return run


def starting(note: Callable[..., None]) -> Callable[..., Service]:
    def create(self: EC2ContainerServiceBackend, *given: object, **asked: object) -> Service:
        service = create_service(self, *given, **asked)
        note("started", service.name, version(self, service.task_definition))
        return service

    return create


def ending(note: Callable[..., None]) -> Callable[..., Service]:
    def delete(self: EC2ContainerServiceBackend, *given: object, **asked: object) -> Service:
        service = delete_service(self, *given, **asked)
        note("ended", service.name)
        return service

    return delete


def sharing(note: Callable[..., None]) -> Callable[..., FakeRule]:
    def modify(self: ELBv2Backend, *given: object, **asked: object) -> FakeRule:
        rule = modify_rule(self, *given, **asked)
        groups = rule.actions[0].data["ForwardConfig"]["TargetGroups"]
        share = next(int(it["Weight"]) for it in groups if "-c/" in it["TargetGroupArn"])
        note("candidate gets", share)
        ecs = ecs_backends[self.account_id][self.region_name]
        alarms = cloudwatch_backends[self.account_id][self.region_name]
        for service in ecs.services.values():
            is_bad = version(ecs, service.task_definition) == RINGS_AT_HALF
            if service.name.endswith("-candidate") and is_bad and share >= 50:
                alarms.set_alarm_state(f"{service.name}-errors", "5 % fail", "{}", "ALARM")
        return rule

    return modify


def both_filters(self: CloudWatchResponse) -> object:
    """moto looks at the names and forgets the state that is asked for."""
    answer = describe_alarms(self)
    if state := self._get_param("StateValue"):
        alarms = answer.result["MetricAlarms"]
        answer.result["MetricAlarms"] = [it for it in alarms if it.state_value == state]
    return answer
