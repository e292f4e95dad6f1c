"""`app evals`: run and judge, record, lock, bless."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from app.evals import session, terminal
from app.evals.baseline import BlessError, bless, read_baseline
from app.evals.findings import Lane
from app.evals.gate import judge
from app.evals.locks import datasets_now, models_now, write_lock
from app.evals.report import JSON, Report, write_reports
from app.evals.rows import RowsError, read_document
from app.evals.suite import Suite, SuiteError, load_suite, load_thresholds

_REPORTS = Path("var/reports")
_SUMMARY = "evals.md"
_INVALID = 3

_lane = click.option(
    "--lane",
    type=click.Choice([lane.value for lane in Lane]),
    default=Lane.CODE.value,
    help="What changed: `code`, where an inconclusive run warns, or `model`, where it blocks.",
)
_report_dir = click.option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=_REPORTS,
    show_default=True,
    help="Where the HTML, JSON and JUnit files go.",
)
_run_file = click.option(
    "--run",
    "run_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_REPORTS / JSON,
    show_default=True,
    help="The JSON file of a run.",
)


@click.group(help="Run the evals, judge them, record and bless.")
def cli() -> None:
    pass


@cli.command("run")
@_lane
@_report_dir
def run_command(lane: str, report_dir: Path) -> None:
    """Replay every case, compare with the baseline, write the report.

    Exit status: 0 pass, 1 block, 2 inconclusive (lane model), 3 invalid.
    """
    with _told():
        suite = _suite()
        _show(suite, session.run(suite), Lane(lane), report_dir)


@cli.command("report")
@_run_file
@_lane
@_report_dir
def report_command(run_file: Path, lane: str, report_dir: Path) -> None:
    """Judge a finished run again, and write its report anew."""
    with _told():
        _show(_suite(), read_document(run_file), Lane(lane), report_dir)


@cli.command("gate")
@click.argument("rows", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("baseline", type=click.Path(dir_okay=False, path_type=Path))
@_lane
def gate_command(rows: Path, baseline: Path, lane: str) -> None:
    """Judge ROWS of any runner against BASELINE; both are JSON. Exit status as of `run`."""
    with _told():
        thresholds = load_thresholds(_suite())
        judgement = judge(read_document(rows), read_document(baseline), thresholds, Lane(lane))
        for line in terminal.verdict(judgement.findings, judgement.verdict, judgement.lane):
            click.echo(line)
        sys.exit(judgement.exit_status)


@cli.command("bless")
@click.option("--by", required=True, help="Who accepts it.")
@click.option("--note", required=True, help="Why, in a sentence for whoever reads it next year.")
@click.option(
    "--latency", is_flag=True, help="Keep its times too, for runs on this kind of machine."
)
@_run_file
def bless_command(by: str, note: str, latency: bool, run_file: Path) -> None:
    """Make a finished run the baseline. A person decides this; nothing does it by itself."""
    with _told():
        suite = _suite()
        now, problems = session.describe(suite, session.services())
        for text, todo in problems:
            raise SuiteError(text, todo)
        made = read_document(run_file)
        text = bless(made, now, load_thresholds(suite), by=by, note=note, with_latency=latency)
        suite.path(suite.baseline).write_text(text, encoding="utf-8")
        click.echo(f"{suite.baseline} is now the run of {run_file}. Commit it.")


@cli.command("lock")
def lock_command() -> None:
    """Accept the data files and models as they are: rewrite datasets.lock and models.lock."""
    with _told():
        suite = _suite()
        recipe = session.trained_recipe()
        for name, content in (
            (suite.datasets_lock, datasets_now(suite)),
            (suite.models_lock, models_now(suite, recipe)),
        ):
            changed = write_lock(suite.path(name), content)
            click.echo(f"{name}: {'changed, review the diff' if changed else 'as it was'}")


@cli.command("record")
@click.option("--synthetic", is_flag=True, help="Let a stand-in answer; the file says so.")
def record_command(synthetic: bool) -> None:
    """Ask the large model about every case, and keep its answers for replay."""
    with _told():
        suite = _suite()
        click.echo(session.record(suite, synthetic=synthetic))
        click.echo(f"Review the diff of {suite.recordings}, then run `just evals --lane model`.")


def _suite() -> Suite:
    return load_suite(Path())


def _show(suite: Suite, run: Mapping[str, Any], lane: Lane, report_dir: Path) -> NoReturn:
    thresholds = load_thresholds(suite)
    baseline = read_baseline(suite.path(suite.baseline))
    report = Report(run, baseline, judge(run, baseline, thresholds, lane), thresholds)
    page = write_reports(report, report_dir)
    (report_dir / _SUMMARY).write_text(_summary(report), encoding="utf-8")
    terminal.show(report)
    click.echo(f"\nReport: {page}")
    sys.exit(report.judgement.exit_status)


def _summary(report: Report) -> str:
    """What is printed, as Markdown: CI shows every `*.md` of the reports on the page of its run."""
    text = "\n".join(click.unstyle(line) for line in terminal.lines(report)).strip("\n")
    return f"### Evals\n\n```text\n{text}\n```\n"


@contextmanager
def _told() -> Iterator[None]:
    """Tell a person what is wrong and what to do; nothing was measured, so the status is 3."""
    try:
        yield
    except (SuiteError, BlessError, RowsError) as error:
        headline = "Refused" if isinstance(error, BlessError) else "Invalid"
        click.echo(click.style(headline, fg="red", bold=True) + f"  {error}", err=True)
        if todo := getattr(error, "todo", ""):
            click.echo(f"  -> {todo}", err=True)
        sys.exit(_INVALID)
