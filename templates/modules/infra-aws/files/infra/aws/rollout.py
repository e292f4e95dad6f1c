"""How a new version reaches people: migrated, tried on more and more, promoted or taken back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import click

from infra.aws.stack import Deployed, Images, Step


class Versions(Protocol):
    """Which images run, and what share of the requests each gets."""

    def apply(self, images: Images, *, paused: bool = False, refresh: bool = True) -> None: ...

    def deployed(self) -> Deployed | None: ...


class Health(Protocol):
    """Each but `tell` raises RolloutError when the new version is not fit."""

    def migrate(self, deployed: Deployed) -> None: ...

    def wait_until_well(self, deployed: Deployed) -> None: ...

    def watch(self, deployed: Deployed, minutes: float) -> None: ...

    def tell(self, deployed: Deployed, image: str) -> None: ...


def start(stack: Versions, cloud: Health, image: str) -> None:
    """The first version of a new stack: its tasks start when the database is migrated."""
    images = Images(stable=image, candidate=image)
    stack.apply(images, paused=True)
    cloud.migrate(_now(stack))
    _apply_and_wait(stack, cloud, images)
    click.echo(f"started {image}")


def roll_out(stack: Versions, cloud: Health, image: str, steps: Iterable[Step]) -> None:
    """Raises what went wrong after everything is as it was before, but for migrations."""
    before = _now(stack).images
    if before.stable == image and before.weight is None:
        click.echo(f"{image} runs already")
        return
    try:
        stack.apply(replace(before, candidate=image, weight=None))
        cloud.migrate(_now(stack))
    except BaseException as error:
        # Nobody has met it, and no task of it runs.
        _say(error)
        stack.apply(_alone(before), refresh=False)
        raise
    _exchange(stack, cloud, before, image, steps)
    click.echo(f"promoted {image}")


def roll_back(stack: Versions, cloud: Health) -> None:
    """Ends a rollout that is under way; otherwise everybody gets the version before, at once.

    Migrations stay: they only add. Raises ClickException when no version before is known.
    """
    before = _now(stack).images
    taken_back = before.candidate
    if before.candidate == before.stable:
        if before.previous is None:
            raise click.ClickException(
                f"nothing ran before {before.stable}. Another image: deploy --image NAME@sha256:..."
            )
        _exchange(stack, cloud, before, before.previous, [Step(100, 0)])
        taken_back = before.stable
    else:
        _end(stack, before)
    cloud.tell(_now(stack), taken_back)
    click.echo(f"took back {taken_back}")


def _exchange(
    stack: Versions, cloud: Health, before: Images, image: str, steps: Iterable[Step]
) -> None:
    """Give everybody `image` instead of what they had before, or leave it as it was before."""
    trying = replace(before, candidate=image, weight=0)
    try:
        _apply_and_wait(stack, cloud, trying)
        for step in steps:
            stack.apply(replace(trying, weight=step.percent), refresh=False)
            click.echo(f"{step.percent} % for {step.minutes:g} minutes")
            cloud.watch(_now(stack), step.minutes)
        # The candidate serves everybody while the stable tasks are replaced.
        promoted = Images(image, image, weight=100, previous=before.stable)
        _apply_and_wait(stack, cloud, promoted)
    except BaseException as error:
        _say(error)
        _end(stack, trying)
        cloud.tell(_now(stack), image)
        raise
    _end(stack, promoted)


def _end(stack: Versions, images: Images) -> None:
    """No more requests for the candidate, and then no more tasks."""
    stack.apply(replace(images, weight=0), refresh=False)
    stack.apply(_alone(images), refresh=False)


def _alone(images: Images) -> Images:
    return replace(images, candidate=images.stable, weight=None)


def _say(error: BaseException) -> None:
    click.echo(f"going back: {str(error) or 'interrupted'}", err=True)


def _apply_and_wait(stack: Versions, cloud: Health, images: Images) -> None:
    stack.apply(images, refresh=False)
    cloud.wait_until_well(_now(stack))


def _now(stack: Versions) -> Deployed:
    deployed = stack.deployed()
    if deployed is None:
        raise click.ClickException(
            "the stack has no outputs; `just aws-plan` shows what is missing"
        )
    return deployed
