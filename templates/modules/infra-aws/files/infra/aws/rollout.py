"""How a new version reaches people: migrated, tried on more and more, promoted or taken back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import click

from infra.aws.cloud import RolloutError
from infra.aws.stack import Deployed, Images, Step


class Versions(Protocol):
    """Which images run, and what share of the requests each gets."""

    def apply(self, images: Images, *, paused: bool = False) -> None: ...

    def deployed(self) -> Deployed | None: ...


class Health(Protocol):
    """Each raises RolloutError when the new version is not fit."""

    def migrate(self, deployed: Deployed) -> None: ...

    def wait_until_well(self, deployed: Deployed) -> None: ...

    def watch(self, deployed: Deployed, minutes: float) -> None: ...


def start(stack: Versions, cloud: Health, image: str) -> None:
    """The first version of a new stack: its tasks start when the database is migrated."""
    images = Images(stable=image, candidate=image)
    stack.apply(images, paused=True)
    cloud.migrate(_now(stack))
    _apply_and_wait(stack, cloud, images)
    click.echo(f"started {image}")


def roll_out(stack: Versions, cloud: Health, image: str, steps: Iterable[Step]) -> None:
    """Raises RolloutError after everything is as it was before, but for migrations."""
    before = _now(stack).images
    if before.stable == image and before.weight is None:
        click.echo(f"{image} runs already")
        return
    images = Images(stable=before.stable, candidate=image)
    stack.apply(images)
    try:
        cloud.migrate(_now(stack))
        _apply_and_wait(stack, cloud, replace(images, weight=0))
        for step in steps:
            stack.apply(replace(images, weight=step.percent))
            click.echo(f"{step.percent} % for {step.minutes:g} minutes")
            cloud.watch(_now(stack), step.minutes)
        # The candidate serves everybody while the stable tasks are replaced.
        promoted = Images(stable=image, candidate=image, weight=100)
        _apply_and_wait(stack, cloud, promoted)
    except (RolloutError, KeyboardInterrupt) as error:
        click.echo(f"going back: {error or 'interrupted'}", err=True)
        _end(stack, replace(images, weight=0), Images(before.stable, before.stable))
        raise
    _end(stack, replace(promoted, weight=0), replace(promoted, weight=None))
    click.echo(f"promoted {image}")


def _end(stack: Versions, quiet: Images, alone: Images) -> None:
    """First no more requests, then no more tasks."""
    stack.apply(quiet)
    stack.apply(alone)


def _apply_and_wait(stack: Versions, cloud: Health, images: Images) -> None:
    stack.apply(images)
    cloud.wait_until_well(_now(stack))


def _now(stack: Versions) -> Deployed:
    deployed = stack.deployed()
    if deployed is None:
        raise click.ClickException(
            "the stack has no outputs; `just infra-plan` shows what is missing"
        )
    return deployed
