"""What counts can say: a share, a difference, and whether a split is as meant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

_Z = 1.959963984540054  # 95 %


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float
    high: float


def share(hits: int, n: int) -> Interval:
    """A share with its 95 % interval after Wilson, which holds for few cases and extreme shares."""
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    p = hits / n
    scale = 1 + _Z**2 / n
    middle = (p + _Z**2 / (2 * n)) / scale
    half = _Z / scale * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half))


def difference(a: Interval, b: Interval) -> Interval:
    """a - b with its 95 % interval after Newcombe, from the Wilson intervals of both."""
    value = a.value - b.value
    low = math.hypot(a.value - a.low, b.high - b.value)
    high = math.hypot(a.high - a.value, b.value - b.low)
    return Interval(value, value - low, value + high)


def mismatch(seen: Mapping[str, int], expected: Mapping[str, int]) -> float:
    """The chance of a split at least so far from the expected one: chi-square, p value.

    Below 0.001 something is wrong with who was counted, and no other figure can be trusted.
    """
    weights = {variant: weight for variant, weight in expected.items() if weight}
    if any(count and variant not in weights for variant, count in seen.items()):
        return 0.0
    total, weight_sum = sum(seen.values()), sum(weights.values())
    if total == 0 or len(weights) < 2:
        return 1.0
    means = {variant: total * weight / weight_sum for variant, weight in weights.items()}
    statistic = sum((seen.get(v, 0) - mean) ** 2 / mean for v, mean in means.items())
    return _chi_square_tail(statistic, len(weights) - 1)


def _chi_square_tail(x: float, degrees: int) -> float:
    """P(X >= x), by the recurrence from one or two degrees of freedom."""
    half = x / 2
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else math.exp(-half)
    for step in range(2 - degrees % 2, degrees, 2):
        tail += half ** (step / 2) * math.exp(-half) / math.gamma(step / 2 + 1)
    return tail
