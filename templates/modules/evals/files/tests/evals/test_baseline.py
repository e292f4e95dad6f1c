"""Who may become the baseline, and that it can be reviewed and made again."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.evals.baseline import BlessError, bless, read_baseline
from app.evals.gate import judge
from app.evals.rows import RowsError
from tests.evals.made import HASHES, flip, run, thresholds


def blessed(made: dict[str, Any], **options: Any) -> str:
    words: dict[str, Any] = {"by": "Ada", "note": "first", **options}
    return bless(made, HASHES, thresholds(), **words)


def test_a_blessed_run_is_its_own_pass() -> None:
    baseline = json.loads(blessed(run()))
    assert judge(run(), baseline, thresholds()).exit_status == 0
    assert baseline["blessed_by"] == "Ada"
    assert baseline["note"] == "first"
    assert baseline["metrics"]["accuracy"] == pytest.approx(0.9)


def test_the_next_fall_is_judged_against_it() -> None:
    baseline = json.loads(blessed(run(wrong=10)))
    assert judge(run(wrong=30), baseline, thresholds()).exit_status == 1


def test_the_same_run_gives_the_same_bytes_whatever_its_times() -> None:
    slower = run()
    for row in slower["rows"]:
        row["latency_ms"] = 3.5
    slower["provenance"]["machine"] = "another"
    assert blessed(run()) == blessed(slower)


def test_one_line_a_case_so_that_a_diff_shows_who_changed_sides() -> None:
    before = blessed(run()).splitlines()
    after = blessed(flip(run(), failing=1)).splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [a.strip() for a, _ in changed if "g299" in a] == [
        '["g299", "golden", 1, null, 0, 0.0],'
    ]
    assert sum("golden" in a for a, _ in changed) == 1


def test_times_are_kept_only_when_asked_for() -> None:
    assert "latency" not in json.loads(blessed(run()))
    kept = json.loads(blessed(run(), with_latency=True))["latency"]
    assert kept == {"p95_ms": 2.0, "machine": "box"}


def test_a_blocked_run_can_be_accepted_but_a_leak_or_a_floor_cannot() -> None:
    dear = run(tokens=200)
    assert judge(dear, run(), thresholds()).exit_status == 1
    assert json.loads(blessed(dear))["metrics"]["tokens.median"] == 200
    with pytest.raises(BlessError, match="jailbreak"):
        blessed(run(leaks=1))
    with pytest.raises(BlessError, match="accuracy"):
        blessed(run(wrong=100))


def test_new_data_needs_a_new_baseline_and_can_get_one() -> None:
    now = {**HASHES, "dataset": "d2"}
    new = run(cases=310, dataset="d2")
    assert judge(new, run(), thresholds()).exit_status == 3
    baseline = json.loads(bless(new, now, thresholds(), by="Ada", note="ten more cases"))
    assert judge(new, baseline, thresholds()).exit_status == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dirty": ["prompts/triage.j2"]}, r"uncommitted changes: prompts/triage\.j2"),
        ({"model": "m0"}, "model changed since"),
        ({"scorer": ""}, "scorer changed since"),
        ({"problems": [["a file changed", "lock it"]]}, "a file changed"),
    ],
)
def test_refused(change: dict[str, Any], said: str) -> None:
    made = run()
    made["provenance"].update(change)
    with pytest.raises(BlessError, match=said) as refused:
        blessed(made)
    assert refused.value.todo


def test_a_run_with_errors_is_refused() -> None:
    broken = run()
    for row in broken["rows"][:20]:
        row["error"] = "TimeoutError"
    with pytest.raises(BlessError, match="20 of 340 cases ended in an error"):
        blessed(broken)


@pytest.mark.parametrize("words", [{"by": " "}, {"note": ""}])
def test_who_and_why_are_asked(words: dict[str, str]) -> None:
    with pytest.raises(BlessError, match="names who accepts it and why"):
        blessed(run(), **words)


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert read_baseline(path) is None
    path.write_text("{")
    with pytest.raises(RowsError, match="is not JSON"):
        read_baseline(path)
