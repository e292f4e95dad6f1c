"""`greenlane fleet status|update`: parses, runs all repositories, prints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.exits import Left
from greenlane.options import common, kit_option

if TYPE_CHECKING:
    from greenlane.fleet.targets import Target

_FILE = "fleet.yml"
_STATUS = """\b
Exit status: 0 all is well, 1 some repositories have conflicts or failed,
2 a mistake in the command or the file. Started again after Ctrl-C or a
crash, it does what is left."""


@click.group(short_help="Many repositories at once.")
@common
def fleet(console: Console) -> None:
    """Status and updates of many repositories, in parallel; one that fails stops no other."""


def _fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        kit_option,
        click.option("--scheduler", metavar="tcp://...", default="",
                     help="Run on the workers of this Dask cluster; paths are the same there."),
        click.option("--jobs", type=click.IntRange(1, 512), default=None,
                     help="Processes; default: one for each processor."),
        click.option("--base", metavar="REVISION", default="",
                     help="The commit to start from; default: the last one, HEAD."),
        click.option("--file", "file", metavar="FILE",
                     type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help=f"The list of repositories; default: {_FILE} here."),
        click.argument("folder", required=False, metavar="[FOLDER]",
                       type=click.Path(exists=True, file_okay=False, path_type=Path)),
    ):  # fmt: skip
        command = option(command)
    return common(command)


@fleet.command(
    short_help="Which repositories are behind.",
    epilog=f"""\b
Examples:
  greenlane fleet status ~/clones
  greenlane fleet status --file fleet.yml --json

{_STATUS}""",
)
@_fleet_options
def status(
    console: Console,
    folder: Path | None,
    file: Path | None,
    base: str,
    jobs: int | None,
    scheduler: str,
    kit_root: Path | None,
) -> int:
    """Show for every clone in FOLDER, or in the list, whether an update is waiting."""
    targets = _targets(folder, file, base)
    results, seconds = _run("status", targets, console, kit_root, jobs, scheduler)
    return _report("status", results, console, seconds, applied=True)


@fleet.command(
    short_help="Update repositories, each on a branch.",
    epilog=f"""\b
Examples:
  greenlane fleet update ~/clones --dry-run
  greenlane fleet update --file fleet.yml --push --summaries pages

{_STATUS}""",
)
@click.option("--branch", metavar="NAME", default="",
              help="The branch; default: greenlane/update-VERSION.")  # fmt: skip
@click.option("--push", is_flag=True, help="Push each branch to origin.")
@click.option("--summaries", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
              help="Write a page for each pull request there.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Tell what would happen; write nothing.")
@_fleet_options
def update(
    console: Console,
    folder: Path | None,
    file: Path | None,
    base: str,
    jobs: int | None,
    scheduler: str,
    kit_root: Path | None,
    branch: str,
    push: bool,
    summaries: Path | None,
    dry_run: bool,
) -> int:
    """Commit the update of every clone in FOLDER, or in the list, to a branch of its own.

    Work trees, indexes and uncommitted changes stay as they are. Where there are conflicts,
    nothing is committed.
    """
    from greenlane.fleet.report import summary, write_summaries

    targets = _targets(folder, file, base, branch)
    options = {"push": push, "dry_run": dry_run}
    results, seconds = _run("update", targets, console, kit_root, jobs, scheduler, **options)
    for result in results:
        if result["branch"] or result["conflicts"]:
            result["summary"] = summary(result)
    if summaries:
        write_summaries(results, summaries)
    return _report("update", results, console, seconds, applied=not dry_run)


def _targets(folder: Path | None, file: Path | None, base: str, branch: str = "") -> list[Target]:
    from dataclasses import replace

    from greenlane.fleet.targets import find_clones, read_fleet

    if folder and file:
        raise click.UsageError("Give either FOLDER or --file, not both.")
    if base.startswith("-"):
        raise click.UsageError(f"{base} is no revision.")
    if not folder and not file:
        file = Path(_FILE)
        if not file.is_file():
            raise click.UsageError(
                f"Which repositories? Give a FOLDER of clones or --file {_FILE}."
            )
    found = read_fleet(file) if file else find_clones(folder or Path())
    return [
        replace(target, base=base or target.base, branch=branch or target.branch)
        for target in found
    ]


def _run(
    command: str,
    targets: list[Target],
    console: Console,
    kit_root: Path | None,
    jobs: int | None,
    scheduler: str,
    **options: bool,
) -> tuple[list[dict[str, Any]], float]:
    """The results in the order of `targets`, and the seconds that it took."""
    from greenlane.fleet import pool, work
    from greenlane.fleet.report import progress

    # A worker may stand elsewhere; a word that is no folder names an installed kit.
    root = str(kit_root.absolute() if kit_root.is_dir() else kit_root) if kit_root else ""
    _, digest = work.kit_and_digest(root)
    tasks = [work.task_of(target, root, digest, **options) for target in targets]
    results: dict[int, dict[str, Any]] = {}

    def tell(number: int, result: dict[str, Any]) -> None:
        if result["state"] == work.MIXED:
            raise GreenlaneError(
                result["reason"], "Install the same greenlane everywhere, then run it again."
            )
        results[number] = result
        console.live(progress(list(results.values()), len(tasks)))

    started = time.monotonic()
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    todo = work.report_status if command == "status" else work.report_update
    opened = pool.dask(scheduler) if scheduler else pool.processes(jobs)
    try:
        with opened as workers:
            console.live(progress([], len(tasks)))
            pool.run(todo, tasks, workers, tell, work.failure)
    except KeyboardInterrupt:
        raise Left(
            f"Stopped after {len(results)} of {len(tasks)} repositories. "
            "The same command goes on with the rest."
        ) from None
    finally:
        console.live()
    return [results[number] for number in range(len(tasks))], time.monotonic() - started


def _report(
    command: str,
    results: list[dict[str, Any]],
    console: Console,
    seconds: float,
    *,
    applied: bool,
) -> int:
    from greenlane.fleet.report import fleet_data, show_fleet

    if console.as_json:
        console.document(fleet_data(command, results, seconds, applied=applied))
    else:
        show_fleet(results, console, applied=applied)
    return int(any(result["state"] in {"conflicts", "failed"} for result in results))
