"""The gate: rows of a run against a baseline, by the rules of evals/README.md.

Standard library only and reading plain rows, so that any runner can feed it.
Exit status: 0 pass, 1 block, 2 inconclusive, 3 invalid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.evals.comparison import (
    compare_accuracy,
    compare_latency,
    compare_slices,
    compare_spend,
    newly,
    pair_up,
)
from app.evals.findings import ROUNDING, Finding, Judgement, Lane, Level, level, percent
from app.evals.measures import zero_failures_bound
from app.evals.metrics import Metric, by_suite, summarise
from app.evals.rows import GRADED, OUT_OF_SCOPE, Row, RowsError, mapping_in, rows_from
from app.evals.thresholds import Thresholds

HASHES = ("model", "prompts", "dataset", "scorer")


def judge(
    run: Mapping[str, Any],
    baseline: Mapping[str, Any] | None,
    thresholds: Thresholds,
    lane: Lane = Lane.CODE,
) -> Judgement:
    """Judge a run. Malformed rows make it invalid; nothing here raises on what a file holds."""
    try:
        rows = rows_from(run, "the run")
        before = rows_from(baseline, "the baseline") if baseline is not None else None
        provenance = mapping_in(run, "provenance", "the run")
        known = mapping_in(baseline or {}, "provenance", "the baseline")
        times = mapping_in(baseline or {}, "latency", "the baseline")
    except RowsError as error:
        return Judgement((Finding(Level.INVALID, "rows", str(error)),), lane)
    # Nothing else is worth saying about a run that could not be made as it should.
    if problems := [
        Finding(Level.INVALID, "run", *told) for told in provenance.get("problems") or ()
    ]:
        return Judgement(tuple(problems), lane)
    findings = _validity(provenance, rows, thresholds)
    findings += _comparable(provenance, rows, known, before)
    findings += _must_pass(rows, thresholds)
    findings += _bounds(rows, thresholds)
    pairs = pair_up(before or [], rows)
    # Against another data set, scorer or set of cases a comparison would compare nothing.
    if before is not None and not any(finding.level is Level.INVALID for finding in findings):
        findings += compare_accuracy(pairs, thresholds)
        findings += compare_slices(pairs, thresholds)
        findings += compare_spend(pairs, thresholds)
    findings += compare_latency(rows, provenance.get("machine"), times, thresholds)
    golden = [(old, new) for old, new in pairs if new.suite == GRADED]
    return Judgement(tuple(findings), lane, newly(golden, False), newly(golden, True))


def _validity(
    provenance: Mapping[str, Any], rows: Sequence[Row], thresholds: Thresholds
) -> list[Finding]:
    findings = []
    if missing := [name for name in HASHES if not provenance.get(name)]:
        findings.append(
            Finding(
                Level.INVALID,
                "provenance",
                f"the run does not say which {', '.join(missing)} it measured",
                "run `app evals run`; a run made elsewhere must fill in `provenance`",
            )
        )
    errors = [row for row in rows if row.error is not None]
    share_of_errors = len(errors) / len(rows) if rows else 1.0
    findings.append(
        Finding(
            level(share_of_errors > thresholds.cases.errors_at_most, Level.INVALID),
            "errors",
            f"{len(errors)} of {len(rows)} cases ended in an error "
            f"(at most {percent(thresholds.cases.errors_at_most)} may); each counts as a failure"
            + (f"; the first: {errors[0].error}" if errors else ""),
            "repair what broke, then run again" if errors else "",
            tuple(row.id for row in errors),
        )
    )
    golden = sum(row.suite == GRADED for row in rows)
    findings.append(
        Finding(
            level(golden < thresholds.cases.at_least, Level.INCONCLUSIVE),
            "cases",
            f"{golden} golden cases; under {thresholds.cases.at_least:g} the comparison is noise",
            "" if golden >= thresholds.cases.at_least else "add cases, better 350 to 500",
        )
    )
    return findings


def _comparable(
    provenance: Mapping[str, Any],
    rows: Sequence[Row],
    known: Mapping[str, Any],
    before: Sequence[Row] | None,
) -> list[Finding]:
    bless = "look at the report, then have a person accept it: `app evals bless --note WHY`"
    if before is None:
        return [Finding(Level.INVALID, "baseline", "there is no baseline to compare with", bless)]
    findings = []
    for name in ("dataset", "scorer"):
        ours, theirs = provenance.get(name), known.get(name)
        if ours != theirs:
            findings.append(
                Finding(
                    Level.INVALID,
                    "baseline",
                    f"the {name} is another than the baseline's "
                    f"({_short(ours)}, the baseline has {_short(theirs)}): "
                    "the two runs cannot be compared",
                    f"undo the change of the {name}, or {bless}",
                )
            )
    if changed := {row.id for row in rows} ^ {row.id for row in before}:
        findings.append(
            Finding(
                Level.INVALID,
                "baseline",
                f"{len(changed)} cases are in only one of the run and the baseline",
                bless,
                tuple(sorted(changed)),
            )
        )
    return findings or [Finding(Level.PASS, "baseline", "same data, scorer and cases")]


def _must_pass(rows: Sequence[Row], thresholds: Thresholds) -> list[Finding]:
    findings = []
    suites = by_suite(rows)
    # A suite without a floor, or a floor without its suite, would be a gate that is not there.
    expected = set(thresholds.must_pass)
    for name in sorted(expected ^ (suites.keys() - {GRADED, OUT_OF_SCOPE})):
        what = "has no cases" if name in expected else "has no floor under must_pass"
        findings.append(
            Finding(
                Level.INVALID,
                f"must pass: {name}",
                f"the suite {name} {what}",
                "make evals/suite.yaml and evals/thresholds.yaml name the same suites",
            )
        )
    for name in sorted(expected & suites.keys()):
        metric, floor = suites[name], thresholds.must_pass[name]
        failed = [row for row in rows if row.suite == name and not row.passed]
        low = (metric.value or 0.0) < floor - ROUNDING
        bound = percent(zero_failures_bound(metric.cases), 1)
        findings.append(
            Finding(
                level(low, Level.BLOCK),
                f"must pass: {name}",
                f"{len(failed)} of {metric.cases} failed"
                + (
                    f", {percent(floor)} must pass"
                    if failed
                    else f"; that proves a failure rate under {bound}, not zero"
                ),
                "read what these cases answered; do not lower the floor" if low else "",
                tuple(row.id for row in failed),
            )
        )
    return findings


def _bounds(rows: Sequence[Row], thresholds: Thresholds) -> list[Finding]:
    metrics = summarise(rows)
    floors = {"accuracy": thresholds.accuracy.floor, **thresholds.floors}
    return [
        _bound(name, metrics.get(name), bound, at_least)
        for bounds, at_least in ((floors, True), (thresholds.ceilings, False))
        for name, bound in bounds.items()
    ]


def _bound(name: str, metric: Metric | None, bound: float, at_least: bool) -> Finding:
    rule = f"{'floor' if at_least else 'ceiling'}: {name}"
    if metric is None:
        return Finding(Level.INVALID, rule, f"no metric is called {name}", "correct the name")
    if metric.value is None:
        return Finding(Level.INVALID, rule, f"no case measures {name}", "add cases, or drop it")
    short = metric.value < bound - ROUNDING if at_least else metric.value > bound + ROUNDING
    word = "at least" if at_least else "at most"
    return Finding(
        level(short, Level.BLOCK),
        rule,
        f"{metric.value:.4g} over {metric.cases} cases, {word} {bound:g} wanted",
        "see the failures in the report" if short else "",
    )


def _short(digest: object) -> str:
    return str(digest)[:12] if digest else "none"
