"""The baseline: a run that a person accepted, committed beside the cases. Never promotes itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.evals.findings import Level
from app.evals.gate import HASHES, judge
from app.evals.metrics import summarise
from app.evals.rows import compact, read_document, rows_from
from app.evals.thresholds import Thresholds

# Of the provenance, what stays the same when the same commit is measured again elsewhere.
KEPT = (*HASHES, "adapter", "recordings", "articles", "thresholds", "commit")


class BlessError(ValueError):
    """The run may not become the baseline; `todo` says what to do first."""

    def __init__(self, message: str, todo: str) -> None:
        super().__init__(message)
        self.todo = todo


def read_baseline(path: Path) -> dict[str, Any] | None:
    """The baseline, or None when there is none yet. Raises RowsError when it is not JSON."""
    return read_document(path) if path.exists() else None


def bless(
    run: Mapping[str, Any],
    now: Mapping[str, Any],
    thresholds: Thresholds,
    *,
    by: str,
    note: str,
    with_latency: bool = False,
) -> str:
    """Return the text of the baseline that `run` becomes.

    `now` is the provenance of the repository as it stands. Raises BlessError when the run is not
    of this repository, was made with uncommitted changes, or would not pass the gate on its own.
    """
    if not by.strip() or not note.strip():
        raise BlessError("a baseline names who accepts it and why", "give --by and --note")
    provenance = run.get("provenance") or {}
    stale = [name for name in HASHES if provenance.get(name) != now.get(name)]
    if stale:
        raise BlessError(
            f"the {', '.join(stale)} changed since this run was made", "run `app evals run` again"
        )
    if dirty := provenance.get("dirty"):
        raise BlessError(
            f"the run was made with uncommitted changes: {', '.join(dirty)}",
            "commit them, run again, then bless: a baseline must be possible to measure again",
        )
    # Against itself only what is wrong in itself is left: errors, leaks, floors, provenance.
    judgement = judge(run, run, thresholds)
    if judgement.verdict is not Level.PASS:
        first = judgement.at(judgement.verdict)[0]
        raise BlessError(f"{first.rule}: {first.message}", first.todo or "put that right first")
    return _text(run, by.strip(), note.strip(), with_latency)


def _text(run: Mapping[str, Any], by: str, note: str, with_latency: bool) -> str:
    rows = rows_from(run, "the run")
    provenance = run["provenance"]
    metrics = summarise(rows)
    timed = ("latency.p50_ms", "latency.p95_ms")
    head: dict[str, Any] = {
        "blessed_by": by,
        "note": note,
        "provenance": {name: provenance[name] for name in KEPT if provenance.get(name)},
        "metrics": {
            name: round(metric.value, 9)
            for name, metric in metrics.items()
            if metric.value is not None and name not in timed
        },
    }
    if with_latency:
        head["latency"] = {"p95_ms": metrics[timed[1]].value, "machine": provenance["machine"]}
    kept = compact(rows)
    # One row a line: the diff of a baseline shows which cases changed sides.
    lines = ",\n".join("  " + json.dumps(row) for row in kept["rows"])
    opening = json.dumps({**head, "columns": kept["columns"]}, indent=1, ensure_ascii=False)
    return f'{opening[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'
