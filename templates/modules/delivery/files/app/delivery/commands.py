"""`app rollout`: see how a change reaches people, and hand that to who moves the traffic."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

from app.core import options, slo
from app.core.problems import ConfigurationError
from app.delivery.rollout import Kind, Rollout, load
from app.delivery.settings import RolloutSettings
from app.settings import Settings

if TYPE_CHECKING:
    from app.core.db import Database
    from app.delivery.models import RolloutRow, State
    from app.delivery.store import Rollouts

T = TypeVar("T")

_kind = click.option(
    "--kind",
    type=click.Choice(["application", "model", "prompt"]),
    default="application",
    show_default=True,
    help="What changes.",
)


@click.group("rollout")
def rollout_group() -> None:
    """Bring a change to people step by step, and back when it is bad."""


@rollout_group.command("show")
@options.as_json
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
@options.as_json
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


@rollout_group.command("migrations")
def migrations() -> None:
    """Fail when a migration would break the code that still serves during a rollout."""
    from app.delivery.expand import incompatible

    found = incompatible()
    for item in found:
        click.echo(item)
    if found:
        raise click.ClickException(
            "the code before could not go on. If a migration is the last step of three (expand, "
            'move, contract), it says so: CONTRACT = "nothing reads it since RELEASE"'
        )
    click.echo("every migration leaves the code before it working")


@rollout_group.command("start")
@click.argument("kind", type=click.Choice(["model", "prompt"]))
@click.option("--candidate", default="current", show_default=True, help="The release to bring.")
@click.option("--baseline", default="previous", show_default=True, help="What it replaces.")
@options.by
@options.reason
def start(kind: str, candidate: str, baseline: str, by: str | None, reason: str) -> None:
    """Give a release to a first share of requests; `app rollout run` walks on from there."""

    async def begin(rollouts: "Rollouts") -> "RolloutRow":
        return await rollouts.start(
            cast(Kind, kind), candidate, baseline, options.operator(by), reason
        )

    _tell(_with(begin))


@rollout_group.command("status")
@options.as_json
def status(as_json: bool) -> None:
    """Show the open rollout, or the last one."""

    async def newest(rollouts: "Rollouts") -> "RolloutRow | None":
        return await rollouts.newest()

    row = _with(newest)
    if as_json:
        click.echo(json.dumps(_about(row) if row else None, indent=2))
    elif row is None:
        click.echo("there was no rollout yet")
    else:
        _tell(row)


@rollout_group.command("pause")
@options.by
@options.reason
def pause(by: str | None, reason: str) -> None:
    """Hold the open rollout at its step; a broken objective still takes it back."""
    _act("pause", by, reason or "a person paused it", state="paused")


@rollout_group.command("resume")
@options.by
@options.reason
def resume(by: str | None, reason: str) -> None:
    """Let a paused rollout go on."""
    _act("resume", by, reason, state="going")


@rollout_group.command("promote")
@click.option("--full", is_flag=True, help="To everybody, without the steps between.")
@options.by
@options.reason
def promote(full: bool, by: str | None, reason: str) -> None:
    """Take the next step now, whatever was seen. The audit keeps who did."""
    _act("promote", by, reason, state="promoted" if full else "going", steps=1)


@rollout_group.command("abort")
@options.by
@options.reason
def abort(by: str | None, reason: str) -> None:
    """Take the candidate back from everybody."""

    async def take_back(rollouts: "Rollouts") -> "RolloutRow":
        return await rollouts.take_back(
            await _open(rollouts), options.operator(by), reason or "a person"
        )

    _tell(_with(take_back))


@rollout_group.command("run")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Keep what is seen."
)
def run(record: Path | None) -> None:
    """Walk the open rollout until it ends; go on where another one stopped.

    Exit status 1 when it was rolled back.
    """
    import httpx2

    from app.delivery.controller import Controller
    from app.delivery.decision import Decision
    from app.delivery.observation import Observation
    from app.delivery.sources import OwnMetrics, Prometheus

    ours, settings = RolloutSettings(), Settings()
    objectives = slo.load(settings.slo_file)

    def note(look: Observation) -> None:
        if record is not None:
            with record.open("a", encoding="utf-8") as file:
                file.write(look.model_dump_json() + "\n")

    def said(row: "RolloutRow", decision: Decision) -> None:
        click.echo(f"{row.name} step {row.stage + 1}: {decision.action} {decision.reason}")

    async def walk(rollouts: "Rollouts") -> "RolloutRow | None":
        token = settings.access_token.get_secret_value() if settings.access_token else None
        async with httpx2.AsyncClient(timeout=3) as client:
            if ours.prometheus:
                source = Prometheus(ours.prometheus, client)
            else:
                source = OwnMetrics(ours.metrics, token, client)
            controller = Controller(rollouts, objectives, source, note)
            return await controller.run(ours.look_every_s, said=said)

    row = _with(walk)
    if row is None:
        raise ConfigurationError("no rollout is open. Begin one: app rollout start model")
    _tell(row)
    if row.state == "rolled_back":
        raise click.exceptions.Exit(1)


def _act(verb: str, by: str | None, reason: str, *, state: "State", steps: int = 0) -> None:
    async def act(rollouts: "Rollouts") -> "RolloutRow":
        row = await _open(rollouts)
        last = len(rollouts.rollout.stages(row.kind)) - 1
        stage = min(row.stage + steps, last) if steps else None
        to: State = "promoted" if stage == last else state
        return await rollouts.act(row, verb, options.operator(by), reason, state=to, stage=stage)

    _tell(_with(act))


async def _open(rollouts: "Rollouts") -> "RolloutRow":
    row = await rollouts.newest()
    if row is None or not row.is_open:
        raise ConfigurationError("no rollout is open. Begin one: app rollout start model")
    return row


def _with(action: Callable[["Rollouts"], Awaitable[T]]) -> T:
    from app.delivery.store import Rollouts
    from app.flags.commands import in_database
    from app.flags.settings import FlagsSettings

    ours, tenant = RolloutSettings(), Settings().default_tenant

    async def go(database: "Database") -> T:
        flags = FlagsSettings().file
        return await action(Rollouts(database, flags, load(ours.file), ours.region, tenant))

    return in_database(go)


def _about(row: "RolloutRow") -> dict[str, object]:
    stage = load(RolloutSettings().file).stages(row.kind)[row.stage]
    return {
        "id": row.id,
        "kind": row.kind,
        "candidate": row.candidate,
        "baseline": row.baseline,
        "state": row.state,
        "step": str(stage),
        "since": row.stage_since.isoformat(timespec="seconds"),
        "reason": row.reason,
    }


def _tell(row: "RolloutRow") -> None:
    for name, value in _about(row).items():
        click.echo(f"{name:<9} {value}")


def _region(rollout: Rollout, wanted: str | None) -> str:
    region = wanted or rollout.regions[0]
    if region not in rollout.regions:
        raise ConfigurationError(f"no region {region!r}; there are: {', '.join(rollout.regions)}")
    return region


@click.group("shadow")
def shadow_group() -> None:
    """See what a candidate answers to copies of requests; ROLLOUT_SHADOW names it."""


@shadow_group.command("report")
@click.argument("candidate")
@options.as_json
def shadow_report(candidate: str, as_json: bool) -> None:
    """Compare CANDIDATE with what was answered, as Markdown."""
    from sqlalchemy import select

    from app.delivery.models import ShadowCopy
    from app.delivery.shadow_report import compare, markdown

    async def read(rollouts: "Rollouts") -> list[tuple[str, dict, dict]]:
        columns = (ShadowCopy.request_class, ShadowCopy.real, ShadowCopy.shadow)
        query = select(*columns).where(ShadowCopy.candidate == candidate)
        async with rollouts.database.reader() as session:
            rows = await session.execute(query)
            return [(name, real, shadow) for name, real, shadow in rows if shadow]

    found = compare(_with(read))
    if not found:
        raise ConfigurationError(f"no copy was answered by {candidate!r}. See ROLLOUT_SHADOW")
    if as_json:
        click.echo(json.dumps([asdict(item) for item in found], indent=2))
    else:
        click.echo(markdown(candidate, found), nl=False)


COMMANDS = {"rollout": rollout_group, "shadow": shadow_group}
