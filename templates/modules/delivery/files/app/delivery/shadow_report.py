"""What a candidate would have changed: agreement, confidence, time, cost and errors."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, quantiles
from typing import Any

from app.flags.intervals import Interval, share


@dataclass(frozen=True, slots=True)
class Side:
    confidence: float | None
    p95_ms: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One request class. Averages are over the copies that the candidate answered."""

    request_class: str
    copies: int
    errors: Interval
    agreement: Interval
    real: Side | None
    shadow: Side | None


def compare(rows: Iterable[tuple[str, dict[str, Any], dict[str, Any]]]) -> list[Compared]:
    """From request class, what was answered, and what the candidate said."""
    by_class: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for request_class, real, shadow in rows:
        by_class[request_class].append((real, shadow))
    return [_compared(name, pairs) for name, pairs in sorted(by_class.items())]


def markdown(candidate: str, found: Iterable[Compared]) -> str:
    """A table for people."""
    lines = [
        f"# Shadow of {candidate}",
        "",
        "| class | copies | agreement | errors | confidence | p95 ms | cost in US dollars |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in found:
        cells = [item.request_class, str(item.copies), _percent(item.agreement)]
        cells.append(_percent(item.errors))
        cells += [
            " → ".join(
                "-" if side is None else _value(side, name, form)
                for side in (item.real, item.shadow)
            )
            for name, form in (("confidence", ".3f"), ("p95_ms", ".0f"), ("cost_usd", ".6f"))
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _value(side: Side, name: str, form: str) -> str:
    value = getattr(side, name)
    return "-" if value is None else format(value, form)


def _percent(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _compared(name: str, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> Compared:
    answered = [(real, shadow) for real, shadow in pairs if "error" not in shadow]
    same = sum(real["said"] == shadow["said"] for real, shadow in answered)
    # What came from a cache says nothing about how long a model takes.
    fresh = [(r, s) for r, s in answered if not r["cached"] and not s["cached"]]
    return Compared(
        request_class=name,
        copies=len(pairs),
        errors=share(len(pairs) - len(answered), len(pairs)),
        agreement=share(same, len(answered)),
        real=_side([real for real, _ in fresh]),
        shadow=_side([shadow for _, shadow in fresh]),
    )


def _side(answers: list[dict[str, Any]]) -> Side | None:
    if not answers:
        return None
    times = [answer["latency_ms"] for answer in answers]
    sure = [answer["confidence"] for answer in answers if answer["confidence"] is not None]
    return Side(
        confidence=mean(sure) if sure else None,
        p95_ms=quantiles(times, n=20)[-1] if len(times) > 1 else times[0],
        cost_usd=mean(answer["cost_usd"] for answer in answers),
    )
