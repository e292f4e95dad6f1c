"""What is decided, for metrics that a person would decide the same for, and for any others."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.delivery.decision import Decision, Progress, decide
from app.delivery.observation import Observation, p95, totals
from app.delivery.simulation import Moment, simulate
from tests.delivery.seen import OBJECTIVES, minute, rollout

ROLLOUT = rollout()
STAGES = ROLLOUT.stages("model")
PROGRESS = Progress(STAGES, 0, 0, ROLLOUT.regions[0], "current", "previous")
FIRST_MINUTES = STAGES[0].minutes


def decided(looks: Sequence[Observation], after: float = 1, stage: int = 0) -> Decision:
    progress = replace(PROGRESS, stage=stage)
    return decide(ROLLOUT, OBJECTIVES, progress, looks, looks[-1].at + after)


def good(minutes: float) -> list[Observation]:
    return [minute(number) for number in range(1, int(minutes) + 1)]


def test_good_minutes_promote_when_the_step_is_over() -> None:
    assert decided(good(FIRST_MINUTES - 1)).action == "hold"
    assert decided(good(FIRST_MINUTES + 1)).action == "promote"


def test_the_last_step_finishes() -> None:
    last = len(STAGES) - 2  # everybody, for no minutes, is the end itself
    assert decided(good(FIRST_MINUTES + 1), stage=last).action == "finish"


@pytest.mark.parametrize("bad", [{"errors": 10}, {"slow": 25}])
def test_a_broken_objective_rolls_back_at_once(bad: dict[str, int]) -> None:
    assert decided([*good(3), minute(4, **bad)]).action == "roll_back"


def test_a_candidate_that_turns_bad_late_is_not_saved_by_its_good_past() -> None:
    looks = [minute(number, requests=4000) for number in range(1, 25)]
    late = [minute(number, requests=100, errors=6) for number in range(25, 31)]
    assert sum(look.flows[0].errors for look in late) / 100_000 < OBJECTIVES.flows[0].error_rate
    assert decided([*looks, *late]).action == "roll_back"


def test_a_few_bad_answers_are_no_proof_and_no_promotion() -> None:
    looks = [minute(number, requests=5) for number in range(1, int(FIRST_MINUTES) + 2)]
    one = [*looks[:-1], minute(FIRST_MINUTES + 1, requests=5, errors=2)]
    assert (held := decided(one)).action == "hold"
    assert "may be chance" in held.reason


def test_too_few_requests_decide_nothing() -> None:
    few = ROLLOUT.fewest_requests.to_abort - 1
    assert decided([minute(1, requests=few, errors=few)]).action == "hold"
    quiet = [minute(number, requests=0) for number in range(1, int(FIRST_MINUTES) + 5)]
    assert decided(quiet).action == "hold"


def test_a_slower_candidate_waits() -> None:
    slower = [minute(number, seconds=0.6) for number in range(1, int(FIRST_MINUTES) + 2)]
    assert (waits := decided(slower)).action == "pause"
    assert "p95 moved" in waits.reason


def test_missing_metrics_wait_and_do_not_count_as_watched() -> None:
    looks = good(FIRST_MINUTES + 1)
    assert decided(looks, after=ROLLOUT.pause.metrics_older_than_s + 1).action == "pause"
    assert decided([*looks[:-1], minute(FIRST_MINUTES + 1, missing=("app-2",))]).action == "pause"
    gap = [*looks[:5], minute(FIRST_MINUTES + 10)]
    assert (held := decided(gap)).action == "hold"
    assert f"{FIRST_MINUTES:.0f} minutes left" in held.reason


def test_people_who_decide_worse_end_it() -> None:
    worse = minute(2, worse=("draft-used",))
    assert decided([minute(1), worse]).action == "roll_back"


def test_p95_lies_between_the_bounds() -> None:
    assert p95({}, [1.0]) is None
    assert p95({1.0: 90, 2.0: 10}, [1.0, 2.0]) == pytest.approx(1.5)
    assert p95({float("inf"): 10}, [1.0, float("inf")]) == 1.0


_MINUTE = st.builds(
    lambda gap, requests, errors, slow, baseline, seconds, missing: {
        "gap": gap,
        "requests": requests,
        "errors": min(errors, requests),
        "slow": min(slow, requests - min(errors, requests)),
        "baseline": baseline,
        "seconds": seconds,
        "missing": missing,
    },
    gap=st.sampled_from([0.5, 1, 1, 1, 3]),
    requests=st.integers(0, 400),
    errors=st.sampled_from([0] * 12 + [1, 30]),
    slow=st.sampled_from([0] * 12 + [3, 60]),
    baseline=st.sampled_from([0, 400, 400, 400]),
    seconds=st.sampled_from([0.5] * 8 + [0.54, 0.9]),
    missing=st.sampled_from([(), (), (), (), ("app-2",)]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_MINUTE, min_size=1, max_size=140))
def test_whatever_is_seen_no_step_is_taken_without_good_reason(minutes: list[dict]) -> None:
    looks, at = [], 0.0
    for item in minutes:
        at += item.pop("gap")
        looks.append(minute(at, **item))
    moments = list(
        simulate(ROLLOUT, OBJECTIVES, "model", looks, candidate="current", baseline="previous")
    )
    steps = [m for m in moments if m.decision.action in ("promote", "finish")]
    assert [m.stage for m in steps] == [str(stage) for stage in STAGES[: len(steps)]]
    since = 0.0
    for moment, stage in zip(steps, STAGES, strict=False):
        _was_good(looks, since, moment, stage.minutes)
        since = moment.at
    if moments[-1].decision.action == "roll_back":
        seen = [look for look in looks if look.at <= moments[-1].at]
        total = totals(seen, "current")["draft"]
        assert total.requests >= ROLLOUT.fewest_requests.to_abort
        assert total.errors + total.slow > 1, "one bad answer is no proof"


def _was_good(looks: list[Observation], since: float, moment: Moment, minutes: float) -> None:
    seen = [look for look in looks if since < look.at <= moment.at]
    assert moment.at - seen[-1].at <= ROLLOUT.pause.metrics_older_than_s
    assert not seen[-1].missing
    assert moment.at - seen[0].at >= minutes * 60
    total = totals(seen, "current")["draft"]
    assert total.requests >= ROLLOUT.fewest_requests.to_promote
    assert total.errors <= total.requests * OBJECTIVES.flows[0].error_rate
    assert total.slow <= total.requests * 0.05
