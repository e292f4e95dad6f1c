"""What `app evals` prints: the figures, the verdict, what led to it and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from app.evals.findings import Finding, Lane, Level
from app.evals.metrics import Metric, by_suite, summarise
from app.evals.report import HEADLINES, Report
from app.evals.rows import GRADED, OUT_OF_SCOPE, Row

_COLOURS = {
    Level.PASS: "green",
    Level.NOTICE: "yellow",
    Level.INCONCLUSIVE: "yellow",
    Level.BLOCK: "red",
    Level.INVALID: "red",
}
_SHOWN_CASES = 5

_SHARES = (
    ("accuracy", "accuracy"),
    ("small.accuracy", "small model alone"),
    ("small.accuracy_when_sure", "right when it is sure"),
    ("small.share", "answered by the small model"),
    ("needs_person", "left to a person"),
    ("out_of_scope.escalated", "out of scope, noticed"),
    ("schema_valid", "valid answers"),
    ("drafts.grounded", "drafts with sound citations"),
)
_AMOUNTS = (
    ("tokens.median", "median tokens", "{:.0f}", 1),
    ("cost.per_success_usd", "cost of 1,000 successes", "${:.3f}", 1000),
    ("latency.p95_ms", "latency p95", "{:.1f} ms", 1),
)


def show(report: Report) -> None:
    """Print the table and the verdict of a run."""
    for line in lines(report):
        click.echo(line)


def lines(report: Report) -> Iterator[str]:
    rows, before = report.rows, report.before
    if ((report.run.get("provenance") or {}).get("recordings") or {}).get("synthetic"):
        yield click.style(
            "Synthetic recordings: a stand-in answers for the large model. "
            "Record your own with `just record`.",
            fg="yellow",
        )
    yield ""
    if rows:
        yield from _figures(rows, before)
        yield ""
    yield from verdict(report.judgement.findings, report.judgement.verdict, report.judgement.lane)


def verdict(findings: Sequence[Finding], outcome: Level, lane: Lane) -> Iterator[str]:
    """The verdict, and every rule that had something to say."""
    headline = HEADLINES[outcome]
    if outcome is Level.INCONCLUSIVE:
        headline += " (a warning in the lane of code)" if lane is Lane.CODE else " (blocks here)"
    yield click.style(headline, fg=_COLOURS[outcome], bold=True)
    for finding in findings:
        if finding.level is Level.PASS:
            continue
        level = click.style(f"{finding.level.value:<12}", fg=_COLOURS[finding.level])
        yield f"  {level} {finding.rule}: {finding.message}"
        if finding.todo:
            yield f"  {'':<12} -> {finding.todo}"
        if finding.cases:
            more = len(finding.cases) - _SHOWN_CASES
            named = ", ".join(finding.cases[:_SHOWN_CASES])
            yield f"  {'':<12}    {named}" + (f" and {more} more" if more > 0 else "")


def _figures(rows: Sequence[Row], before: Sequence[Row]) -> Iterator[str]:
    now, was = summarise(rows), summarise(before)
    for name, label in _SHARES:
        metric = now[name]
        if metric.value is None:
            continue
        yield _line(label, f"{100 * metric.value:.1f} %", f"{metric.passed} of {metric.cases}", "")
        if name == "accuracy":
            yield from _against(was[name])
    for name, label, shape, scale in _AMOUNTS:
        value, old = now[name].value, was[name].value
        if value is not None and now[name].cases:
            known = f"baseline {shape.format(old * scale)}" if old else ""
            yield _line(label, shape.format(value * scale), f"{now[name].cases} cases", known)
    for suite, metric in by_suite(rows).items():
        if suite not in (GRADED, OUT_OF_SCOPE):
            passed = f"{metric.passed} of {metric.cases}"
            yield _line(suite.replace("_", " "), f"{100 * (metric.value or 0):.1f} %", passed, "")


def _against(metric: Metric) -> Iterator[str]:
    if metric.value is not None:
        yield _line("  baseline", f"{100 * metric.value:.1f} %", "", "")


def _line(label: str, value: str, cases: str, known: str) -> str:
    return f"  {label:<30}{value:>12}   {cases:<14}{known}".rstrip()
