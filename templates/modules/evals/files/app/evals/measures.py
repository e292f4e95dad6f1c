"""The statistics of the gate, on plain numbers. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction


def mcnemar_mid_p(newly_failing: int, newly_passing: int) -> float:
    """One-sided exact McNemar test, mid-p: how easily chance alone explains the fall.

    Only the cases that changed sides count. If nothing got worse each of them is as likely to have
    gone one way as the other, so `newly_failing` of them follows a binomial with p = 1/2.
    Returns P(more failing) + P(exactly as many failing) / 2; 0.5 when no case changed.
    """
    if newly_failing < 0 or newly_passing < 0:
        raise ValueError("counts of changed cases cannot be negative")
    changed = newly_failing + newly_passing
    more = sum(math.comb(changed, k) for k in range(newly_failing + 1, changed + 1))
    exactly = math.comb(changed, newly_failing)
    return float(Fraction(2 * more + exactly, 2 ** (changed + 1)))


def falls_by_more_than(points: float, newly_failing: int, newly_passing: int, cases: int) -> bool:
    """Whether accuracy fell by more than `points` percentage points.

    In exact fractions: 0.90 - 0.87 is a little more than 0.03 in floating point, and a fall of
    exactly three points would be taken for more.
    """
    return Fraction(newly_failing - newly_passing, cases) * 100 > Fraction(str(points))


def zero_failures_bound(cases: int, confidence: float = 0.95) -> float:
    """The highest failure rate that `cases` cases without one failure leave possible."""
    return 1.0 if cases <= 0 else 1.0 - (1.0 - confidence) ** (1.0 / cases)


def wilson_interval(successes: int, cases: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share; (0, 1) when there are no cases."""
    if cases <= 0:
        return 0.0, 1.0
    share = successes / cases
    spread = z * z / cases
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / cases + spread / (4 * cases)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the two middle ones; 0.0 for no values."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    low, high = ordered[middle - 1], ordered[middle]
    return high if low == high else (low + high) / 2


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0.0 for no values."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def paired_rise(before: Sequence[float], after: Sequence[float]) -> float:
    """How many times `before` was spent in `after`, case by case: 1.0 is unchanged.

    The larger of the median of the paired ratios and the ratio of the totals. The median sees a
    rise everywhere through the noise of a few cases, the totals see a rise in a few. Pairs that
    spent nothing both times say nothing; spending where nothing was spent is an endless rise.
    """
    ratios = [math.inf if b == 0 else a / b for b, a in zip(before, after, strict=True) if b or a]
    total_before, total_after = math.fsum(before), math.fsum(after)
    if total_before == 0:
        return math.inf if total_after > 0 else 1.0
    return max(median(ratios), total_after / total_before)
