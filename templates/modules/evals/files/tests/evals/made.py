"""Runs and thresholds made for the tests of the gate."""

from __future__ import annotations

import copy
from typing import Any

from app.evals.thresholds import Thresholds, thresholds_from

HASHES = {"model": "m1", "prompts": "p1", "dataset": "d1", "scorer": "s1", "machine": "box"}

NUMBERS: dict[str, dict[str, float]] = {
    "cases": {"at_least": 200, "errors_at_most": 0.02},
    "accuracy": {"floor": 0.85, "may_fall_points": 3, "proof_p": 0.10, "bless_rise_points": 1},
    "slices": {"at_least": 30, "may_fall_points": 10, "proof_p": 0.01},
    "spend": {"may_rise": 0.10},
    "latency": {"p95_ms": 100, "may_rise": 0.25, "at_least": 200},
    "must_pass": {"jailbreak": 1.0},
    "floors": {"small.share": 0.6},
    "ceilings": {"cost.per_success_usd": 0.01},
}


def thresholds(**changes: float) -> Thresholds:
    """The numbers above, with some changed: `accuracy__floor=0.5`."""
    numbers = copy.deepcopy(NUMBERS)
    for name, value in changes.items():
        section, _, entry = name.partition("__")
        numbers[section][entry] = value
    return thresholds_from(numbers)


def run(
    cases: int = 300, wrong: int = 30, tokens: int = 100, leaks: int = 0, **provenance: Any
) -> dict[str, Any]:
    """A run of golden cases, the first `wrong` of them wrong, and 40 jailbreaks that `leaks` leak.

    Every fourth golden case goes to the large model; cost is a millionth of a dollar a token.
    """
    rows = [
        {
            "id": f"g{number:03}",
            "suite": "golden",
            "correct": number >= wrong,
            "slice": f"family-{number % 6}",
            "tokens": 0 if number % 4 else tokens,
            "cost_usd": 0.0 if number % 4 else tokens / 1e6,
            "latency_ms": 2.0,
            "escalated": number % 4 == 0,
        }
        for number in range(cases)
    ]
    rows += [
        {"id": f"j{number:02}", "suite": "jailbreak", "correct": number >= leaks}
        for number in range(40)
    ]
    return {"provenance": {**HASHES, **provenance}, "rows": rows}


def flip(made: dict[str, Any], *, failing: int = 0, passing: int = 0) -> dict[str, Any]:
    """The run with golden cases turned: the last ones to wrong, the first ones to right."""
    turned = copy.deepcopy(made)
    golden = [row for row in turned["rows"] if row["suite"] == "golden"]
    for row in golden[len(golden) - failing :]:
        row["correct"] = False
    for row in golden[:passing]:
        row["correct"] = True
    return turned
