"""The rules that compare a run with its baseline, case by case. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.evals.findings import ROUNDING, Finding, Level, level, percent
from app.evals.measures import falls_by_more_than, mcnemar_mid_p, paired_rise
from app.evals.metrics import by_slice, summarise
from app.evals.rows import GRADED, Row
from app.evals.thresholds import Accuracy, Fall, Thresholds

Pairs = Sequence[tuple[Row, Row]]
Passes = Callable[[Row], bool | None]
_BLESS_RISE = "bless it (`app evals bless --note WHY`): unblessed, it hides the next fall"


def _passed(row: Row) -> bool | None:
    return row.passed


def _small_right(row: Row) -> bool | None:
    return row.small_correct


def pair_up(before: Sequence[Row], after: Sequence[Row]) -> list[tuple[Row, Row]]:
    known = {row.id: row for row in before}
    return [(known[row.id], row) for row in after if row.id in known]


def newly(pairs: Pairs, passing: bool, passes: Passes = _passed) -> tuple[str, ...]:
    """The cases that now pass and did not before, or the other way round."""
    return tuple(
        new.id for old, new in pairs if passes(old) is not passing and passes(new) is passing
    )


def compare_accuracy(pairs: Pairs, thresholds: Thresholds) -> list[Finding]:
    """The golden cases as answered, and as the small model alone would have answered them.

    A small model that got worse passes more on, and a good large one makes up for it; the answers
    alone would then show nothing but a higher bill.
    """
    golden = [(old, new) for old, new in pairs if new.suite == GRADED]
    known = [(o, n) for o, n in golden if None not in (o.small_correct, n.small_correct)]
    limits = thresholds.accuracy
    return [
        _rise("accuracy", golden, limits, _passed) or _fall("accuracy", golden, limits, _passed),
        *([_fall("accuracy: small model", known, limits, _small_right)] if known else []),
    ]


def compare_slices(pairs: Pairs, thresholds: Thresholds) -> list[Finding]:
    findings = []
    limits = thresholds.slices
    for name, metric in by_slice([new for _, new in pairs]).items():
        one = [pair for pair in pairs if pair[1].slice == name]
        finding = _fall(f"slice: {name}", one, limits, _passed)
        fell = finding.level is not Level.PASS
        if metric.cases < limits.at_least and fell:
            message = f"{finding.message}; under {limits.at_least:g} cases it only informs"
            finding = Finding(Level.NOTICE, finding.rule, message, "", finding.cases)
        elif finding.level is Level.INCONCLUSIVE:
            # Many slices are looked at: an unproved fall of one of them is expected by chance.
            finding = Finding(Level.NOTICE, finding.rule, finding.message, "", finding.cases)
        findings.append(finding)
    return findings


def _rise(rule: str, pairs: Pairs, limits: Accuracy, passes: Passes) -> Finding | None:
    rise = len(newly(pairs, True, passes)) - len(newly(pairs, False, passes))
    if rise <= 0 or rise * 100 < limits.bless_rise_points * len(pairs):
        return None
    message = f"rose by {100 * rise / len(pairs):.1f} points"
    return Finding(Level.NOTICE, rule, message, _BLESS_RISE)


def _fall(rule: str, pairs: Pairs, limits: Fall, passes: Passes) -> Finding:
    failing, passing = newly(pairs, False, passes), newly(pairs, True, passes)
    p = mcnemar_mid_p(len(failing), len(passing))
    message = (
        f"{len(failing)} newly failing, {len(passing)} newly passing of {len(pairs)} "
        f"({100 * (len(passing) - len(failing)) / max(1, len(pairs)):+.1f} points, "
        f"mid-p {p:.3f})"
    )
    if not pairs or not falls_by_more_than(
        limits.may_fall_points, len(failing), len(passing), len(pairs)
    ):
        return Finding(Level.PASS, rule, message)
    if p < limits.proof_p:
        todo = "look at the newly failing cases; undo the change or have a person bless it"
        return Finding(Level.BLOCK, rule, message, todo, failing)
    return Finding(
        Level.INCONCLUSIVE,
        rule,
        f"{message}: a fall, but not one that chance cannot explain",
        "repeat the run 3 to 5 times, or add cases",
        failing,
    )


def compare_spend(pairs: Pairs, thresholds: Thresholds) -> list[Finding]:
    findings = []
    limit = 1 + thresholds.spend.may_rise
    for name, of in (("tokens", lambda row: row.tokens), ("cost", lambda row: row.cost_usd)):
        rise = paired_rise([of(old) for old, _ in pairs], [of(new) for _, new in pairs])
        over = rise > limit + ROUNDING
        change = "from nothing" if math.isinf(rise) else f"by {100 * (rise - 1):+.1f} %"
        message = f"{name} changed {change} against the baseline, case by case"
        outcome, todo = level(over, Level.BLOCK), ""
        if over:
            top = f"{percent(thresholds.spend.may_rise)} more is accepted"
            todo = f"{top}: shorten the prompt, or have a person bless the new cost"
        elif rise < 1 / limit:
            outcome, todo = Level.NOTICE, _BLESS_RISE.replace("the next fall", "the next rise")
        findings.append(Finding(outcome, name, message, todo))
    return findings


def compare_latency(
    rows: Sequence[Row],
    machine: str | None,
    before: Mapping[str, Any],
    thresholds: Thresholds,
) -> list[Finding]:
    """`before` holds the baseline's p95_ms and the machine it was measured on, or is empty."""
    limits = thresholds.latency
    metric = summarise(rows)["latency.p95_ms"]
    if not metric.cases or metric.value is None:
        return [Finding(Level.NOTICE, "latency", "no case was timed")]
    slow = metric.value > limits.p95_ms
    message = f"p95 {metric.value:.1f} ms over {metric.cases} cases, at most {limits.p95_ms:g}"
    findings = [Finding(level(slow, Level.BLOCK), "latency", message, "profile it" if slow else "")]
    if not before.get("p95_ms") or not machine or before.get("machine") != machine:
        message = "not compared: the baseline holds no times of this machine"
    elif metric.cases < limits.at_least:
        message = f"not compared: {metric.cases} cases, from {limits.at_least:g} on it would be"
    else:
        rise = metric.value / before["p95_ms"] - 1
        slower = rise > limits.may_rise + ROUNDING
        message = f"p95 {100 * rise:+.0f} % against the baseline, on the same kind of machine"
        todo = "profile it, or have a person bless the new latency" if slower else ""
        return [*findings, Finding(level(slower, Level.BLOCK), "latency rise", message, todo)]
    return [*findings, Finding(Level.PASS, "latency rise", message)]
