"""`app rollout`: see how a change reaches people, and hand that to who moves the traffic."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import cast

import click

from app.core import slo
from app.core.problems import ConfigurationError
from app.delivery.rollout import Kind, Rollout, load
from app.delivery.settings import RolloutSettings
from app.settings import Settings

_kind = click.option(
    "--kind",
    type=click.Choice(["application", "model", "prompt"]),
    default="application",
    show_default=True,
    help="What changes.",
)


_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.group("rollout")
def rollout_group() -> None:
    """Bring a change to people step by step, and back when it is bad."""


@rollout_group.command("show")
@_json
def show(as_json: bool) -> None:
    """Show how each kind of change reaches people, and what ends it."""
    rollout, objectives = load(RolloutSettings().file), slo.load(Settings().slo_file)
    if as_json:
        click.echo(rollout.model_dump_json(indent=2))
        return
    for kind in rollout.canary:
        steps = (f"{stage} for {stage.minutes:g} min" for stage in rollout.stages(kind)[:-1])
        click.echo(f"{kind:<12} {', '.join(steps)}, then everybody")
    click.echo(f"{'shadow':<12} {rollout.shadow.percent} % of requests are copied")
    click.echo(f"{'ends by':<12} {', '.join(sorted({a.objective for a in rollout.abort}))}")
    for flow in objectives.flows:
        click.echo(f"  {flow.name:<14} p95 {flow.p95_ms:g} ms, {flow.error_rate:.2%} may fail")


@rollout_group.command("render")
@click.argument("target", type=click.Choice(["argo", "ecs"]))
@_kind
@click.option("--region", help="One of rollout.yaml; otherwise the first.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Write files here.")
def render(target: str, kind: str, region: str | None, into: Path | None) -> None:
    """Print the rollout as TARGET understands it, or write it as files."""
    from app.delivery.rendering import RENDERERS

    rollout = load(RolloutSettings().file)
    files = RENDERERS[target](rollout, cast(Kind, kind), _region(rollout, region))
    for name, text in files.items():
        if into is None:
            click.echo(text, nl=False)
            continue
        into.mkdir(parents=True, exist_ok=True)
        (into / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {into / name}")


@rollout_group.command("simulate")
@click.option(
    "--metrics", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True
)
@click.option("--candidate", default="current", show_default=True, help="Its name in the metrics.")
@click.option("--baseline", default="previous", show_default=True, help="What it would replace.")
@_kind
@_json
def simulate_rollout(
    metrics: Path, candidate: str, baseline: str, kind: str, as_json: bool
) -> None:
    """Show what a rollout would have done with recorded metrics, and why.

    They are what `app rollout run --record FILE` wrote: one observation in a line. Fails when the
    rollout would have been rolled back.
    """
    from app.delivery.observation import read
    from app.delivery.simulation import simulate

    moments = list(
        simulate(
            load(RolloutSettings().file),
            slo.load(Settings().slo_file),
            cast(Kind, kind),
            read(metrics),
            candidate=candidate,
            baseline=baseline,
        )
    )
    if as_json:
        click.echo(json.dumps([asdict(moment) for moment in moments], indent=2))
    else:
        for moment in moments:
            minutes, seconds = divmod(round(moment.at), 60)
            what = moment.decision.action.replace("_", " ")
            click.echo(
                f"{minutes:>4}:{seconds:02} {moment.stage:<8} {what:<9} {moment.decision.reason}"
            )
    if moments and moments[-1].decision.action == "roll_back":
        raise click.exceptions.Exit(1)


def _region(rollout: Rollout, wanted: str | None) -> str:
    region = wanted or rollout.regions[0]
    if region not in rollout.regions:
        raise ConfigurationError(f"no region {region!r}; there are: {', '.join(rollout.regions)}")
    return region


COMMANDS = {"rollout": rollout_group}
