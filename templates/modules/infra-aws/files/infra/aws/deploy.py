"""A stack on AWS: shown, made, removed, and given a new version that goes back when it is bad.

    python -m infra.aws.deploy ENV plan|apply|destroy|deploy|rollback

Runs `terraform`, or `tofu`, and `docker`; who you are on AWS comes from the environment, as for the
aws command.
"""

from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from infra.aws.cloud import Cloud
from infra.aws.rollout import roll_back, roll_out, start
from infra.aws.stack import Images, Stack


class InWords(click.Group):
    """What AWS refuses is a user's business: a sentence, no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(f"AWS refused: {error}") from None


@click.group(cls=InWords)
@click.argument("environment")
@click.pass_context
def cli(context: click.Context, environment: str) -> None:
    """ENVIRONMENT is prod, or the name of a stack of its own, such as preview or pr-42."""
    context.obj = Stack.of(environment)


@cli.command()
@click.pass_obj
def plan(stack: Stack) -> None:
    """Show what would change."""
    stack.init(Cloud(stack.region).account())
    stack.plan(_present(stack))


@cli.command()
@click.option("--paused", is_flag=True, help="No task runs; data and addresses stay.")
@click.pass_obj
def apply(stack: Stack, paused: bool) -> None:
    """Make or change the stack; images and weights stay as they are."""
    stack.init(Cloud(stack.region).account())
    stack.apply(_present(stack), paused=paused)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def destroy(stack: Stack, yes: bool) -> None:
    """Remove the stack, its data included."""
    if stack.lasting:
        raise click.ClickException(
            f"{stack.environment} is meant to last. Set `lasting = false` in "
            f"{stack.variables.name} and apply it first: that ends the protection of its data"
        )
    if not yes:
        click.confirm(f"Remove {stack.environment} and all its data?", abort=True)
    stack.init(Cloud(stack.region).account())
    stack.destroy(_present(stack))


@cli.command()
@click.option("--image", help="NAME@sha256:... instead of this commit's.")
@click.option("--at-once", is_flag=True, help="Blue/green: everybody gets it in one step.")
@click.pass_obj
def deploy(stack: Stack, image: str | None, at_once: bool) -> None:
    """Build, push, migrate, then give the new version to more and more people."""
    cloud = Cloud(stack.region)
    stack.init(cloud.account())
    image = image or cloud.push(stack.project)
    if stack.deployed() is None:
        start(stack, cloud, image)
    else:
        roll_out(stack, cloud, image, stack.steps(at_once=at_once))


@cli.command()
@click.pass_obj
def rollback(stack: Stack) -> None:
    """End the rollout that is under way; otherwise everybody gets the version before, at once."""
    cloud = Cloud(stack.region)
    stack.init(cloud.account())
    _present(stack)
    roll_back(stack, cloud)


def _present(stack: Stack) -> Images:
    deployed = stack.deployed()
    if deployed is None:
        raise click.ClickException(
            f"{stack.environment} runs nothing yet, so there is no image: "
            f"`just aws-deploy {stack.environment}` makes the stack and starts the first one"
        )
    return deployed.images


if __name__ == "__main__":
    cli()
