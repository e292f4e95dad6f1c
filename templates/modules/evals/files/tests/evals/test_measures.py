"""The statistics, against values worked out by hand and by enumeration."""

import math
from itertools import product

import pytest

from app.evals.measures import (
    falls_by_more_than,
    mcnemar_mid_p,
    median,
    paired_rise,
    percentile,
    wilson_interval,
    zero_failures_bound,
)


@pytest.mark.parametrize(("failing", "passing"), [(0, 0), (3, 0), (0, 3), (5, 2), (7, 6)])
def test_mid_p_equals_the_enumeration_of_every_outcome(failing: int, passing: int) -> None:
    outcomes = [sum(sides) for sides in product((0, 1), repeat=failing + passing)]
    more = sum(k > failing for k in outcomes)
    same = sum(k == failing for k in outcomes)
    assert mcnemar_mid_p(failing, passing) == pytest.approx((more + same / 2) / len(outcomes))


def test_mid_p_stays_exact_for_many_changed_cases() -> None:
    assert mcnemar_mid_p(400, 400) == pytest.approx(0.5)
    assert 0 < mcnemar_mid_p(600, 0) < 1e-170


def test_mid_p_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_mid_p(-1, 2)


def test_a_fall_of_exactly_the_limit_is_not_more_than_it() -> None:
    assert 0.90 - 0.87 > 0.03  # why the comparison is made in fractions
    assert not falls_by_more_than(3, 3, 0, 100)
    assert not falls_by_more_than(0.3, 3, 0, 1000)
    assert falls_by_more_than(3, 4, 0, 100)
    assert falls_by_more_than(3, 16, 0, 500)
    assert not falls_by_more_than(3, 15, 0, 500)


@pytest.mark.parametrize(("cases", "bound"), [(50, 0.058), (300, 0.0099), (500, 0.006), (0, 1.0)])
def test_zero_failures_leave_a_bound(cases: int, bound: float) -> None:
    assert zero_failures_bound(cases) == pytest.approx(bound, rel=0.01)


def test_wilson_interval_stays_inside_zero_and_one() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
    assert wilson_interval(0, 10)[0] == 0.0
    # Agresti & Coull 1998: 9 of 10 gives 0.596 to 0.982.
    assert wilson_interval(9, 10) == pytest.approx((0.596, 0.982), abs=0.001)


def test_median_and_percentile() -> None:
    assert median([]) == 0.0
    assert median([3, 1, 2]) == 2.0
    assert median([1, 2, 3, 10]) == 2.5
    assert median([math.inf, math.inf]) == math.inf
    assert percentile([], 0.95) == 0.0
    assert percentile(range(1, 101), 0.95) == 95.0
    assert percentile([5.0], 0.5) == 5.0


def test_a_rise_everywhere_shows_in_the_median_of_the_pairs() -> None:
    # One case that used to be huge shrinks: the totals fall, though every other case rose.
    assert paired_rise([1000, 10, 10, 10], [500, 12, 12, 12]) == pytest.approx(1.2)


def test_a_rise_in_a_few_cases_shows_in_the_totals() -> None:
    assert paired_rise([10] * 10, [10] * 8 + [30, 30]) == pytest.approx(1.4)


def test_pairs_without_spending_do_not_dilute_the_median() -> None:
    assert paired_rise([0] * 90 + [10] * 10, [0] * 90 + [13] * 10) == pytest.approx(1.3)


def test_spending_where_nothing_was_spent_is_an_endless_rise() -> None:
    assert paired_rise([0, 0, 0], [0, 1, 0]) == math.inf
    assert paired_rise([0, 0, 90], [1, 1, 1]) == math.inf
    assert paired_rise([0, 0], [0, 0]) == 1.0
    assert paired_rise([10, 0], [5, 0]) == 0.5


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_rise([1, 2], [1])
