"""What a run amounts to: rows in, named figures out. Standard library only."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.evals.measures import median, percentile, wilson_interval
from app.evals.rows import GRADED, OUT_OF_SCOPE, Row


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure and how many cases it rests on; `value` is None when there were none."""

    value: float | None
    cases: int
    passed: int | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval, for shares."""
        return None if self.passed is None else wilson_interval(self.passed, self.cases)


def share(rows: Iterable[Row], passes: Callable[[Row], bool | None]) -> Metric:
    """The share of the rows that pass; rows where the answer is None are not counted."""
    answers = [answer for row in rows if (answer := passes(row)) is not None]
    passed = sum(answers)
    return Metric(passed / len(answers) if answers else None, len(answers), passed)


def summarise(rows: Sequence[Row]) -> dict[str, Metric]:
    """Every figure by name. Shares are 0..1, latencies milliseconds, costs US dollars."""
    golden = [row for row in rows if row.suite == GRADED]
    spending = [row.tokens for row in golden if row.tokens]
    cost = sum(row.cost_usd for row in golden)
    successes = sum(row.passed for row in golden)
    latencies = [row.latency_ms for row in rows if row.latency_ms is not None]
    return {
        "accuracy": share(golden, lambda row: row.passed),
        "small.accuracy": share(golden, lambda row: row.small_correct),
        "small.accuracy_when_sure": share(golden, _right_when_sure),
        "small.share": share(golden, lambda row: _not(row.escalated)),
        "needs_person": share(golden, lambda row: row.needs_person),
        "out_of_scope.escalated": share(
            [row for row in rows if row.suite == OUT_OF_SCOPE], lambda row: row.passed
        ),
        "schema_valid": share(rows, lambda row: row.schema_valid),
        "drafts.grounded": share(rows, lambda row: row.grounded),
        "tokens.median": Metric(median(spending) if spending else None, len(spending)),
        "tokens.total": Metric(float(sum(row.tokens for row in golden)), len(golden)),
        "cost.total_usd": Metric(cost, len(golden)),
        "cost.per_success_usd": Metric(cost / successes if successes else None, successes),
        "latency.p50_ms": Metric(percentile(latencies, 0.5), len(latencies)),
        "latency.p95_ms": Metric(percentile(latencies, 0.95), len(latencies)),
        "errors": share(rows, lambda row: row.error is not None),
    }


def by_suite(rows: Iterable[Row]) -> dict[str, Metric]:
    """Cases passed per suite, in the order of the names."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.suite].append(row)
    return {name: share(groups[name], lambda row: row.passed) for name in sorted(groups)}


def by_slice(rows: Iterable[Row]) -> dict[str, Metric]:
    """Accuracy per slice of the golden cases, in the order of the names."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.suite == GRADED and row.slice:
            groups[row.slice].append(row)
    return {name: share(groups[name], lambda row: row.passed) for name in sorted(groups)}


# Most answers are nearly certain, so bands of equal width would put them all into the last one.
CONFIDENCE_EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of the small model whose confidence lies in one band; `confidence` is their mean."""

    right: int
    cases: int
    confidence: float

    @property
    def accuracy(self) -> float:
        return self.right / self.cases


def band_of(confidence: float) -> int:
    """The number of the band of CONFIDENCE_EDGES in which a confidence lies."""
    return min(bisect_right(CONFIDENCE_EDGES, confidence), len(CONFIDENCE_EDGES) - 1) - 1


def reliability(rows: Iterable[Row]) -> list[Bin]:
    """How often the small model is right, per band of confidence; empty bands are left out."""
    groups: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for row in rows:
        if row.suite == GRADED and row.confidence is not None and row.small_correct is not None:
            groups[band_of(row.confidence)].append((row.confidence, row.small_correct))
    return [
        Bin(
            right=sum(right for _, right in group),
            cases=len(group),
            confidence=sum(confidence for confidence, _ in group) / len(group),
        )
        for _, group in sorted(groups.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Expected calibration error: the mean gap of confidence and accuracy, by cases."""
    cases = sum(item.cases for item in bins)
    if not cases:
        return None
    return sum(item.cases * abs(item.confidence - item.accuracy) for item in bins) / cases


def _right_when_sure(row: Row) -> bool | None:
    return None if row.escalated is not False else row.passed


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value
