"""The report of a run: one self-contained HTML page, the same as JSON, and JUnit for CI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from app.evals import charts
from app.evals.findings import Judgement, Level
from app.evals.junit import junit_xml
from app.evals.metrics import (
    Metric,
    by_slice,
    by_suite,
    calibration_error,
    reliability,
    summarise,
)
from app.evals.rows import GRADED, Row, row_to, rows_from
from app.evals.thresholds import Thresholds, numbers_of

_COST = "cost.per_success_usd"
_FOLDER = Path(__file__).with_name("templates")
HTML, JSON, JUNIT = "evals.html", "evals.json", "evals.junit.xml"

HEADLINES = {
    Level.PASS: "Pass",
    Level.BLOCK: "Blocked",
    Level.INCONCLUSIVE: "Inconclusive",
    Level.INVALID: "Invalid",
}
EXPLAINED = {
    Level.PASS: "Nothing got worse than the rules allow.",
    Level.BLOCK: "This must not be merged as it is.",
    Level.INCONCLUSIVE: "Something may have got worse; this run cannot tell.",
    Level.INVALID: "The run says nothing about quality until this is put right.",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline figure; `change` says how it moved, `trend` whether that is better or worse."""

    name: str
    value: str
    change: str = ""
    trend: str = ""


@dataclass(frozen=True, slots=True)
class SliceRow:
    name: str
    metric: Metric
    before: float | None
    strip: Markup


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows."""

    run: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    judgement: Judgement
    thresholds: Thresholds

    @property
    def rows(self) -> list[Row]:
        return rows_from(self.run, "the run")

    @property
    def before(self) -> list[Row]:
        return rows_from(self.baseline, "the baseline") if self.baseline else []


def write_reports(report: Report, folder: Path) -> Path:
    """Write the page, the JSON and the JUnit file into `folder`. Returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(to_json(report), encoding="utf-8")
    (folder / JUNIT).write_text(junit_xml(report.judgement, report.rows), encoding="utf-8")
    page = folder / HTML
    page.write_text(to_html(report), encoding="utf-8")
    return page


def to_json(report: Report) -> str:
    """The run with its figures and verdict, a superset of what `app evals gate` reads."""
    document = {
        "verdict": report.judgement.verdict.value,
        "exit_status": report.judgement.exit_status,
        "lane": report.judgement.lane.value,
        "findings": [
            {
                "level": finding.level.value,
                "rule": finding.rule,
                "message": finding.message,
                "todo": finding.todo,
                "cases": list(finding.cases),
            }
            for finding in report.judgement.findings
        ],
        "metrics": {
            name: {"value": metric.value, "cases": metric.cases}
            for name, metric in summarise(report.rows).items()
        },
        **report.run,
        "rows": [row_to(row) for row in report.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def to_html(report: Report) -> str:
    """The page. It loads nothing: style and plots are inside, and there is no script."""
    rows, before = report.rows, report.before
    was = {row.id: row for row in before}
    known = {row.id: row for row in rows}
    golden = [row for row in rows if row.suite == GRADED]
    bins = reliability(rows)
    judgement = report.judgement
    threshold = report.run.get("small_threshold")
    recordings = (report.run.get("provenance") or {}).get("recordings") or {}
    shown = [row for row in golden if row.confidence is not None]
    return _template().render(
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704  our own
        name=report.run.get("name", "evals"),
        headline=HEADLINES[judgement.verdict],
        explained=EXPLAINED[judgement.verdict],
        judgement=judgement,
        causes=judgement.at(judgement.verdict) if judgement.verdict is not Level.PASS else [],
        synthetic=bool(recordings.get("synthetic")),
        tiles=_tiles(rows, before),
        suites=by_suite(rows),
        spoken_up=sorted(
            (
                finding
                for finding in judgement.findings
                if finding.level not in (Level.PASS, judgement.verdict)
            ),
            key=lambda finding: -list(Level).index(finding.level),
        ),
        silent=judgement.at(Level.PASS),
        compared=bool(before),
        slices=_slices(rows, was),
        reliability=charts.reliability_diagram(bins) if bins else "",
        calibration_error=calibration_error(bins),
        confidence=charts.confidence_histogram(
            [row.confidence or 0.0 for row in shown if row.small_correct],
            [row.confidence or 0.0 for row in shown if not row.small_correct],
            threshold,
        )
        if shown
        else "",
        tokens=charts.spread(
            [row.tokens for row in before if row.suite == GRADED and row.tokens],
            [row.tokens for row in golden if row.tokens],
            "tokens",
        ),
        costs=_costs(rows, before),
        newly_failing=[known[name] for name in judgement.newly_failing],
        newly_passing=[known[name] for name in judgement.newly_passing],
        failed_must_pass=[row for row in rows if row.suite in _strict(report) and not row.passed],
        failures=[row for row in golden if not row.passed],
        missed=[r for r in rows if r.suite not in {GRADED, *_strict(report)} and not r.passed],
        provenance=_provenance(report),
        thresholds=numbers_of(report.thresholds),
        unlisted=report.run.get("unused_recordings") or [],
    )


def _strict(report: Report) -> set[str]:
    return set(report.thresholds.must_pass)


def _tiles(rows: Sequence[Row], before: Sequence[Row]) -> list[Tile]:
    if not rows:
        return []
    now, was = summarise(rows), summarise(before)
    tiles = [
        _share_tile("Accuracy", now["accuracy"], was["accuracy"]),
        _share_tile("Small model alone", now["small.accuracy"], was["small.accuracy"]),
        _share_tile("Right when it is sure", now["small.accuracy_when_sure"]),
        _share_tile("Answered by the small model", now["small.share"]),
        _share_tile("Left to a person", now["needs_person"]),
        _share_tile("Out of scope, noticed", now["out_of_scope.escalated"]),
        _share_tile("Valid answers", now["schema_valid"]),
        _share_tile("Drafts with sound citations", now["drafts.grounded"]),
        _spend_tile("Median tokens", now["tokens.median"], was["tokens.median"], "{:.0f}"),
        _spend_tile("Cost of 1,000 successes", now[_COST], was[_COST], "${:.3f}", 1000),
        _spend_tile("Latency p95", now["latency.p95_ms"], None, "{:.1f} ms"),
    ]
    return [tile for tile in tiles if tile is not None]


def _share_tile(name: str, metric: Metric, before: Metric | None = None) -> Tile | None:
    if metric.value is None:
        return None
    change, trend = f"{metric.passed} of {metric.cases}", ""
    if before is not None and before.value is not None:
        points = 100 * (metric.value - before.value)
        trend = "" if abs(points) < 0.05 else ("better" if points > 0 else "worse")
        change = f"{points:+.1f} points since the baseline" if trend else "as the baseline"
    return Tile(name, f"{100 * metric.value:.1f} %", change, trend)


def _spend_tile(
    name: str, metric: Metric, before: Metric | None, shape: str, scale: int = 1
) -> Tile | None:
    if metric.value is None:
        return None
    value = shape.format(metric.value * scale)
    if before is None or not before.value:
        return Tile(name, value)
    ratio = 100 * (metric.value / before.value - 1)
    trend = "" if abs(ratio) < 0.05 else ("worse" if ratio > 0 else "better")
    change = f"{ratio:+.1f} % since the baseline" if trend else "as the baseline"
    return Tile(name, value, change, trend)


def _slices(rows: Sequence[Row], was: Mapping[str, Row]) -> list[SliceRow]:
    slices = by_slice(rows)
    lows = [metric.interval[0] for metric in slices.values() if metric.interval]
    low = min(0.5, *(int(10 * value) / 10 for value in lows)) if lows else 0.5
    found = []
    for name, metric in slices.items():
        pairs = [was[r.id].passed for r in rows if r.slice == name and r.id in was]
        before = sum(pairs) / len(pairs) if pairs else None
        strip = charts.interval_strip(metric, before, low)
        found.append(SliceRow(name.replace("_", " "), metric, before, strip))
    return sorted(found, key=lambda item: item.metric.value or 0.0)


def _costs(rows: Sequence[Row], before: Sequence[Row]) -> list[tuple[str, Markup]]:
    now, was = summarise(rows), summarise(before)
    found = []
    for name, label, shape, scale in (
        (_COST, "Cost of 1,000 successful tasks", "${:.3f}", 1000),
        ("cost.total_usd", "Cost of all golden cases", "${:.4f}", 1),
        ("tokens.total", "Tokens of all golden cases", "{:,.0f}", 1),
    ):
        old = was[name].value if before else None
        new = now[name].value or 0.0
        shown = (shape.format((old or 0.0) * scale), shape.format(new * scale))
        found.append((label, charts.pair_of_bars(label, old, new, shown)))
    return found


def _provenance(report: Report) -> list[tuple[str, str, bool]]:
    """Name, value, and whether the baseline was measured with another one."""
    ours = report.run.get("provenance") or {}
    theirs = (report.baseline or {}).get("provenance") or {}
    found = []
    for name in sorted(ours):
        if name == "problems":
            continue
        value, other = _flat(ours[name]), _flat(theirs.get(name))
        found.append((name.replace("_", " "), value, bool(other) and value != other))
    return found


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_flat(item)}" for name, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(_flat, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _code(text: str) -> Markup:
    """Commands in backticks become code; all else is escaped."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["code"] = _code
    return environment.get_template("report.html")
