"""`app flags`: look at flags, change them, and see what an experiment found."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from app.core import options
from app.core.db import Database
from app.core.problems import ConfigurationError
from app.flags import document
from app.flags.catalogue import FLAGS, RELEASE
from app.flags.document import Definition
from app.flags.settings import FlagsSettings
from app.settings import Settings

T = TypeVar("T")


@click.group("flags")
def cli() -> None:
    """Look at flags, change them while the application serves, judge experiments."""


@cli.command("list")
@options.as_json
def list_flags(as_json: bool) -> None:
    """Show every flag and who gets what."""
    definitions = document.read(FlagsSettings().file)["flags"]
    rows = [_about(name, definition) for name, definition in sorted(definitions.items())]
    if as_json:
        _print(rows)
        return
    width = max(len(row["flag"]) for row in rows)
    for row in rows:
        click.echo(f"{row['flag']:<{width}}  {row['now']}")
        click.echo(f"{'':<{width}}  {row['purpose']}" + (" (STALE)" if row["stale"] else ""))


@cli.command("show")
@click.argument("flag")
@options.as_json
def show_flag(flag: str, as_json: bool) -> None:
    """Show a flag, its rules, and its last changes."""
    from app.flags.changes import changes

    definition = _definition(flag)

    async def read(database: Database) -> list[Any]:
        async with database.reader() as session:
            return await changes(session, flag, 10)

    history = [_change(row) for row in in_database(read)]
    if as_json:
        _print({**_about(flag, definition), "definition": definition, "changes": history})
        return
    for key, value in _about(flag, definition).items():
        click.echo(f"{key:<9} {value if value is not None else '-'}")
    click.echo(json.dumps(definition, indent=2))
    for change in history:
        options.say(_line(change))


@cli.command("set")
@click.argument("flag")
@click.argument("percent", nargs=-1, required=True, metavar="VARIANT=PERCENT...")
@click.option("--experiment", help="Its name: from now on note who gets which variant.")
@options.by
@options.reason
@options.as_json
def set_flag(
    flag: str,
    percent: tuple[str, ...],
    experiment: str | None,
    by: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Divide people among variants. What is left of 100 gets the default variant.

    A percentage stays with a person: who had a variant at 5 % still has it at 50 %.
    """
    wanted = _percentages(percent)
    _require_usable(flag, *wanted)
    _apply(flag, lambda d: document.split(d, wanted, experiment), by, reason, as_json)


@cli.command("pin")
@click.argument("flag")
@click.argument("variant")
@options.by
@options.reason
@options.as_json
def pin_flag(flag: str, variant: str, by: str | None, reason: str, as_json: bool) -> None:
    """Give everybody one variant, whatever the rules were; they are in the audit.

    `app flags pin release previous` goes back to the models and prompts that were kept last.
    """
    _require_usable(flag, variant)
    _apply(flag, lambda definition: document.pinned(definition, variant), by, reason, as_json)


@cli.command("keep")
@click.argument("variant", default="previous")
@options.by
@options.reason
@options.as_json
def keep_release(variant: str, by: str | None, reason: str, as_json: bool) -> None:
    """Keep models.yaml and the prompts as a release to go back to, before they are changed."""
    from app.ai.settings import AiSettings
    from app.flags.releases import keep

    if not variant.isidentifier() or variant == "current":
        raise click.ClickException(f"{variant!r} is no name for a release; `previous` is one")
    _definition(RELEASE.name)
    ai, settings = AiSettings(), Settings()
    kept = keep(variant, ai.prompts_dir, ai.prompts_lock, settings.models_file)

    def alter(definition: Definition) -> Definition:
        return definition | {"variants": definition["variants"] | {variant: kept}}

    _apply(RELEASE.name, alter, by, reason or "kept before a change", as_json)
    if not as_json:
        click.echo(f"models and prompts are kept in releases/{variant}; commit it")


@cli.command("stale")
@options.as_json
def stale_flags(as_json: bool) -> None:
    """Name the flags that should be gone by now. They fail nothing."""
    today = datetime.now(UTC).date()
    rows = [
        {"flag": flag.name, "owner": flag.owner, "expires": str(flag.expires)}
        for flag in FLAGS.values()
        if flag.is_stale(today)
    ]
    if as_json:
        _print(rows)
        return
    for row in rows:
        click.echo(f"stale: {row['flag']} since {row['expires']}; ask {row['owner']}")
    if not rows:
        click.echo(f"{len(FLAGS)} flags, none past its day")


@cli.group("experiment")
def experiment_group() -> None:
    """Experiments: began by `app flags set FLAG VARIANT=PERCENT --experiment NAME`."""


@experiment_group.command("report")
@click.argument("name")
@click.option("--outcome", help="What is measured; otherwise the first there is.")
@click.option("--control", help="The variant to compare with; otherwise the flag's default.")
@options.as_json
def experiment_report(name: str, outcome: str | None, control: str | None, as_json: bool) -> None:
    """Say what the experiment NAME found, with 95 % intervals."""
    from app.flags.experiments import Report, outcomes, report

    measured = outcome or next(iter(outcomes()), "")
    flags = document.read(FlagsSettings().file)

    async def read(database: Database) -> Report:
        async with database.reader() as session:
            return await report(session, flags, name, measured, control)

    found = in_database(read)
    if as_json:
        verdicts = {result.variant: result.verdict for result in found.results}
        _print({**asdict(found), "is_mismatched": found.is_mismatched, "verdicts": verdicts})
        return
    _print_report(found)


def _print_report(found: Any) -> None:
    click.echo(
        f"{found.experiment}: flag {found.flag}, outcome {found.outcome} "
        f"({' or '.join(found.good)} counts)"
    )
    width = max(len(result.variant) for result in found.results)
    for result in found.results:
        rate, against = result.rate, result.against_control
        line = (
            f"  {result.variant:<{width}}  n {result.decided} of {result.exposed}  "
            f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})"
        )
        if against:
            line += (
                f"  {against.value * 100:+.1f} points "
                f"({against.low * 100:+.1f} to {against.high * 100:+.1f})"
            )
        click.echo(f"{line}  {result.verdict}")
    seen = ":".join(str(result.exposed) for result in found.results)
    meant = ":".join(str(found.expected.get(result.variant, 0)) for result in found.results)
    if found.is_mismatched:
        click.echo(
            f"  SAMPLE RATIO MISMATCH: {seen} got it, meant was {meant} (p = {found.split_p:.1g}). "
            "Who was counted depends on the variant: trust nothing above."
        )
    else:
        click.echo(f"  split as meant: {seen} for {meant} (p = {found.split_p:.2f})")
    if found.left_out:
        click.echo(f"  {found.left_out} saw several variants and are left out")


def _apply(
    flag: str,
    alter: Callable[[Definition], Definition],
    by: str | None,
    reason: str,
    as_json: bool,
) -> None:
    from app.flags.changes import change

    settings = FlagsSettings()
    who = options.operator(by)

    async def write(database: Database) -> Any:
        return await change(database, settings.file, flag, alter, principal=who, reason=reason)

    row = in_database(write)
    if as_json:
        _print(_change(row) if row else None)
    elif row is None:
        click.echo(f"{flag} is so already; nothing was changed")
    else:
        options.say(_line(_change(row)))
    if row and settings.url:
        click.echo(
            f"{settings.file} is changed; see that flagd at {settings.url} reads it", err=True
        )


def in_database(action: Callable[[Database], Awaitable[T]]) -> T:
    """What `action` returns. Raises ConfigurationError when the database cannot be used."""
    from sqlalchemy.exc import SQLAlchemyError

    async def run() -> T:
        database = Database(Settings().database_url)
        try:
            return await action(database)
        except SQLAlchemyError as error:
            raise ConfigurationError(
                f"the database cannot be used ({type(error).__name__}). Run `app db upgrade`; in "
                f"an emergency edit {FlagsSettings().file}, which is read again at once"
            ) from error
        finally:
            await database.close()

    return asyncio.run(run())


def _definition(flag: str) -> Definition:
    definitions = document.read(FlagsSettings().file)["flags"]
    if flag not in definitions:
        raise ConfigurationError(f"no flag {flag!r}; there are: {', '.join(sorted(definitions))}")
    return definitions[flag]


def _require_usable(flag: str, *variants: str) -> None:
    if flag == RELEASE.name:
        from app.flags.releases import require_usable

        for variant in variants:
            require_usable(_definition(flag)["variants"].get(variant))


def _percentages(items: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in items:
        variant, _, number = item.partition("=")
        if not number.isdecimal() or int(number) > 100:
            raise click.UsageError(f"{item!r}: expected VARIANT=PERCENT, such as on=5")
        found[variant] = int(number)
    return found


def _about(name: str, definition: Definition) -> dict[str, Any]:
    flag = FLAGS[name]
    return {
        "flag": name,
        "now": document.summary(definition),
        "purpose": flag.purpose,
        "owner": flag.owner,
        "expires": str(flag.expires) if flag.expires else None,
        "stale": flag.is_stale(datetime.now(UTC).date()),
        "variants": list(definition["variants"]),
    }


def _change(row: Any) -> dict[str, Any]:
    from app.flags.changes import flag_of

    return {
        "at": row.at.isoformat(timespec="seconds"),
        "by": row.actor,
        "flag": flag_of(row),
        "from": document.summary(row.before),
        "to": document.summary(row.after),
        "reason": row.reason,
    }


def _line(change: dict[str, Any]) -> str:
    reason = f": {change['reason']}" if change["reason"] else ""
    return (
        f"{change['at']}  {change['flag']}: {change['from']} -> {change['to']}, "
        f"by {change['by']}{reason}"
    )


def _print(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
