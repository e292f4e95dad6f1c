"""The rule of the gate: each way to block or to be invalid, and none without cause."""

import copy
import random
import subprocess
import sys
from typing import Any

import pytest

from app.evals.comparison import compare_accuracy
from app.evals.findings import Lane, Level
from app.evals.gate import HASHES, judge
from app.evals.rows import Row, compact, rows_from
from tests.evals.made import NUMBERS, flip, run, thresholds


def status(new: dict[str, Any], old: dict[str, Any] | None, **changes: float) -> int:
    return judge(new, old, thresholds(**changes)).exit_status


def rules(new: dict[str, Any], old: dict[str, Any] | None, level: Level) -> set[str]:
    return {finding.rule for finding in judge(new, old, thresholds()).at(level)}


def _another(name: str, value: str = "other") -> dict[str, Any]:
    made = run()
    made["provenance"][name] = value
    return made


def test_the_same_run_passes() -> None:
    judgement = judge(run(), run(), thresholds())
    assert judgement.exit_status == 0
    assert judgement.verdict is Level.PASS
    assert {finding.level for finding in judgement.findings} == {Level.PASS}


def test_the_compact_form_of_a_baseline_judges_alike() -> None:
    made = run()
    kept = {"provenance": made["provenance"], **compact(rows_from(made, "run"))}
    assert status(flip(made, failing=30), made) == status(flip(made, failing=30), kept) == 1
    assert status(made, kept) == 0


def test_a_proved_fall_blocks_and_names_the_cases() -> None:
    judgement = judge(flip(run(), failing=12), run(), thresholds())
    assert judgement.exit_status == 1
    assert [finding.rule for finding in judgement.at(Level.BLOCK)] == ["accuracy"]
    assert judgement.newly_failing == tuple(f"g{number}" for number in range(288, 300))


def test_three_points_are_allowed() -> None:
    assert status(flip(run(), failing=9), run()) == 0


def test_a_fall_that_chance_explains_is_inconclusive_and_the_lane_decides() -> None:
    old = run(cases=300, wrong=40)
    new = flip(old, failing=40, passing=30)
    low = thresholds(accuracy__floor=0.5)
    assert judge(new, old, low).verdict is Level.INCONCLUSIVE
    assert judge(new, old, low, Lane.CODE).exit_status == 0
    assert judge(new, old, low, Lane.MODEL).exit_status == 2


def test_a_proved_fall_blocks_in_both_lanes() -> None:
    for lane in Lane:
        assert judge(flip(run(), failing=20), run(), thresholds(), lane).exit_status == 1


def test_a_rise_passes_but_asks_to_be_blessed() -> None:
    judgement = judge(flip(run(), passing=10), run(), thresholds())
    assert judgement.exit_status == 0
    (notice,) = judgement.at(Level.NOTICE)
    assert "bless" in notice.todo


def test_a_small_model_that_got_worse_blocks_though_the_large_one_makes_up_for_it() -> None:
    old, new = run(), run()
    for number, (before, after) in enumerate(zip(old["rows"], new["rows"], strict=True)):
        if before["suite"] == "golden":
            before["small_correct"] = number % 20 != 0
            after["small_correct"] = number % 12 != 0
    assert rules(new, old, Level.BLOCK) == {"accuracy: small model"}
    kept = {"provenance": old["provenance"], **compact(rows_from(old, "run"))}
    assert rules(new, kept, Level.BLOCK) == {"accuracy: small model"}
    assert status(old, old) == 0


def test_accuracy_under_the_floor_blocks_even_when_the_baseline_was_as_low() -> None:
    low = run(wrong=60)
    assert status(low, low) == 1
    assert rules(low, low, Level.BLOCK) == {"floor: accuracy"}


def test_one_leak_blocks_however_many_cases_pass() -> None:
    assert rules(run(leaks=1), run(), Level.BLOCK) == {"must pass: jailbreak"}
    # A baseline that leaked already is no excuse.
    assert status(run(leaks=1), run(leaks=1)) == 1


def test_without_a_failure_the_bound_is_printed() -> None:
    messages = [f.message for f in judge(run(), run(), thresholds()).findings]
    assert any("under 7.2 %" in message for message in messages)


@pytest.mark.parametrize(("tokens", "exit_status"), [(110, 0), (111, 1), (130, 1), (95, 0)])
def test_tokens_may_rise_by_a_tenth(tokens: int, exit_status: int) -> None:
    assert status(run(tokens=tokens), run(tokens=100)) == exit_status


def test_cost_that_rises_from_nothing_blocks() -> None:
    free = run()
    for row in free["rows"]:
        row["cost_usd"] = 0.0
    assert rules(run(), free, Level.BLOCK) == {"cost"}
    assert status(free, free) == 0


def test_a_price_that_rises_blocks_though_the_tokens_stay() -> None:
    dear = run()
    for row in dear["rows"]:
        row["cost_usd"] = row.get("cost_usd", 0.0) * 1.2
    assert rules(dear, run(), Level.BLOCK) == {"cost"}


def test_less_spending_asks_to_be_blessed() -> None:
    assert rules(run(tokens=80), run(tokens=100), Level.NOTICE) == {"tokens", "cost"}


def test_an_error_is_a_failure_whatever_the_row_claims() -> None:
    broken = flip(run())
    for row in broken["rows"][30:36]:
        row["error"] = "RecordingMiss: no recording"
    assert status(broken, run()) == 0  # six of 340 are under 2 %
    judgement = judge(broken, run(), thresholds())
    assert len(judgement.newly_failing) == 6


def test_more_than_two_percent_of_errors_are_invalid() -> None:
    broken = flip(run())
    for row in broken["rows"][:7]:
        row["error"] = "TimeoutError"
    assert status(broken, run()) == 3
    assert rules(broken, run(), Level.INVALID) == {"errors"}


@pytest.mark.parametrize("name", HASHES)
def test_a_missing_hash_is_invalid(name: str) -> None:
    assert status(_another(name, ""), run()) == 3


@pytest.mark.parametrize("name", ["dataset", "scorer"])
def test_another_data_set_or_scorer_cannot_be_compared(name: str) -> None:
    assert rules(_another(name), run(), Level.INVALID) == {"baseline"}
    assert status(_another(name), run()) == 3


@pytest.mark.parametrize("name", ["model", "prompts"])
def test_another_model_or_prompt_is_what_the_gate_is_for(name: str) -> None:
    assert status(_another(name), run()) == 0


def test_other_cases_are_invalid() -> None:
    assert status(run(cases=299), run(cases=300)) == 3
    assert status(run(cases=300), run(cases=299)) == 3
    finding = judge(run(cases=300), run(cases=299), thresholds()).at(Level.INVALID)[0]
    assert finding.cases == ("g299",)


def test_problems_found_on_the_way_are_invalid() -> None:
    bad = run()
    bad["provenance"]["problems"] = [["a file changed", "lock it"]]
    assert status(bad, run()) == 3


def test_no_baseline_is_invalid_and_says_how_to_get_one() -> None:
    judgement = judge(run(), None, thresholds())
    assert judgement.exit_status == 3
    assert "app evals bless" in judgement.at(Level.INVALID)[0].todo


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [1],
        [{"id": "a", "suite": "golden"}],
        [{"id": "a", "suite": "golden", "correct": 1}],
        [{"id": "a", "suite": "golden", "correct": True, "tokens": -1}],
        [{"id": "a", "suite": "golden", "correct": True, "tokens": "9"}],
        [{"id": "a", "suite": "golden", "correct": True, "colour": "red"}],
        [{"id": "a", "suite": "golden", "correct": True}] * 2,
    ],
)
def test_malformed_rows_are_invalid_not_a_traceback(rows: object) -> None:
    assert status({"provenance": run()["provenance"], "rows": rows}, run()) == 3
    assert status(run(), {"provenance": run()["provenance"], "rows": rows}) == 3


def test_an_empty_run_is_invalid() -> None:
    assert status({"provenance": run()["provenance"], "rows": []}, run()) == 3


def test_a_suite_and_its_floor_must_both_be_there() -> None:
    unknown = run()
    unknown["rows"].append({"id": "x", "suite": "prompt_leak", "correct": True})
    assert rules(unknown, unknown, Level.INVALID) == {"must pass: prompt_leak"}
    gone = run()
    gone["rows"] = [row for row in gone["rows"] if row["suite"] != "jailbreak"]
    assert rules(gone, gone, Level.INVALID) == {"must pass: jailbreak"}


def test_too_few_cases_are_inconclusive() -> None:
    assert judge(run(cases=150, wrong=10), run(cases=150, wrong=10), thresholds()).verdict is (
        Level.INCONCLUSIVE
    )


def test_a_family_that_collapses_blocks_while_the_whole_hardly_moves() -> None:
    old, new = run(), run()
    family = [row for row in new["rows"] if row.get("slice") == "family-5"]
    for row in family[-9:]:
        row["correct"] = False
    assert rules(new, old, Level.BLOCK) == {"slice: family-5"}
    small = thresholds(slices__at_least=51)
    assert judge(new, old, small).exit_status == 0  # 50 cases: now it only informs


def test_latency_is_held_to_the_objective() -> None:
    slow = run()
    for row in slow["rows"][:40]:
        row["latency_ms"] = 150.0
    assert rules(slow, run(), Level.BLOCK) == {"latency"}


def test_latency_is_compared_on_the_same_machine_and_from_200_cases_on() -> None:
    old, slow = run(), run()
    for row in slow["rows"]:
        row["latency_ms"] = 2.6
    old["latency"] = {"p95_ms": 2.0, "machine": "box"}
    assert rules(slow, old, Level.BLOCK) == {"latency rise"}
    elsewhere = {**old, "latency": {"p95_ms": 2.0, "machine": "another"}}
    assert status(slow, elsewhere) == 0
    assert status(slow, old, latency__at_least=341) == 0


EACH_NUMBER = {
    "cases.at_least": (301, 2),
    "cases.errors_at_most": (0.0, 3),
    "accuracy.floor": (0.95, 1),
    "accuracy.may_fall_points": (0.5, 1),
    "accuracy.proof_p": (0.5, 1),
    "accuracy.bless_rise_points": (0.1, 0),
    "slices.at_least": (20, 1),
    "slices.may_fall_points": (1, 1),
    "slices.proof_p": (0.2, 1),
    "spend.may_rise": (0.02, 1),
    "latency.p95_ms": (1, 1),
    "latency.may_rise": (0.05, 1),
    "latency.at_least": (200, 1),
    "must_pass.jailbreak": (1.0, 1),
    "floors.small.share": (0.9, 1),
    "ceilings.cost.per_success_usd": (1e-6, 1),
}


def test_the_table_names_every_number() -> None:
    names = {f"{section}.{entry}" for section, numbers in NUMBERS.items() for entry in numbers}
    assert names == set(EACH_NUMBER)


@pytest.mark.parametrize("name", sorted(EACH_NUMBER))
def test_each_number_is_read(name: str) -> None:
    """A run a little worse than its baseline passes wide numbers; tightening one of them shows."""
    old, new = run(leaks=1), flip(run(leaks=1, tokens=105), failing=8, passing=2)
    old["latency"] = {"p95_ms": 1.8, "machine": "box"}
    # One family of fifty loses eight cases: too small to block until slices.at_least is lowered.
    for row in [row for row in new["rows"] if row.get("slice") == "family-3"][-7:]:
        row["correct"] = False
    new["rows"][100]["error"] = "TimeoutError"
    wide: dict[str, float] = {
        "must_pass__jailbreak": 0.9,
        "accuracy__may_fall_points": 50,
        "slices__may_fall_points": 50,
        "slices__proof_p": 0.0,
        "latency__at_least": 1000,
    }
    setup: dict[str, dict[str, float]] = {
        "accuracy.proof_p": {"accuracy__may_fall_points": 0.5, "accuracy__proof_p": 0.0},
        "slices.at_least": {
            "slices__at_least": 60,
            "slices__may_fall_points": 1,
            "slices__proof_p": 0.2,
        },
        "slices.may_fall_points": {"slices__proof_p": 0.2},
        "slices.proof_p": {"slices__may_fall_points": 1},
        "latency.may_rise": {"latency__at_least": 200},
        "latency.at_least": {"latency__may_rise": 0.05},
    }
    section, _, entry = name.partition(".")
    before = {**wide, **setup.get(name, {})}
    value, expected = EACH_NUMBER[name]
    if name == "accuracy.bless_rise_points":
        up = flip(old, passing=1)
        assert not judge(up, old, thresholds(**wide)).at(Level.NOTICE)
        risen = judge(up, old, thresholds(**wide, accuracy__bless_rise_points=value))
        assert [finding.rule for finding in risen.at(Level.NOTICE)] == ["accuracy"]
        return
    assert judge(new, old, thresholds(**before), Lane.CODE).exit_status == 0
    after = {**before, f"{section}__{entry}": value}
    assert judge(new, old, thresholds(**after), Lane.MODEL).exit_status == expected


@pytest.mark.parametrize(
    ("cases", "points", "chance"),
    [(100, 0, 5.6), (200, 0, 1.9), (200, 3, 44), (200, 5, 78), (500, 3, 46), (500, 8, 100)],
)
def test_the_gate_blocks_as_often_as_was_measured(cases: int, points: int, chance: float) -> None:
    """Cells of the table in evals/README.md: 5 % of cases flip without cause, half each way."""
    rng = random.Random(20261121 + cases + points)
    runs = 800
    numbers = thresholds()
    verdicts: dict[tuple[int, int], bool] = {}
    blocked = 0
    for _ in range(runs):
        draws = [rng.random() for _ in range(cases)]
        failing = sum(draw < 0.025 + points / 100 for draw in draws)
        passing = sum(draw > 0.975 for draw in draws)
        key = (failing, passing)
        if key not in verdicts:
            verdicts[key] = _blocks(cases, failing, passing, numbers)
        blocked += verdicts[key]
    tolerance = 100 * 3.5 * (max(chance, 1) / 100 * (1 - min(chance, 99) / 100) / runs) ** 0.5
    assert 100 * blocked / runs == pytest.approx(chance, abs=tolerance + 0.6)


def _blocks(cases: int, failing: int, passing: int, numbers: Any) -> bool:
    old = [Row(str(n), "golden", n >= passing) for n in range(cases)]
    new = [Row(str(n), "golden", n < cases - failing) for n in range(cases)]
    pairs = list(zip(old, new, strict=True))
    return compare_accuracy(pairs, numbers)[0].level is Level.BLOCK


def test_the_gate_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; import app.evals.gate; "
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names "
        "and m.split('.')[0] not in ('app', '__main__', '__mp_main__')])"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_judging_changes_nothing_it_was_given() -> None:
    new, old = run(), run()
    kept = copy.deepcopy((new, old))
    judge(new, old, thresholds())
    assert (new, old) == kept
