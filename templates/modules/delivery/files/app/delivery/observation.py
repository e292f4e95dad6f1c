"""What was seen of a candidate and of what it would replace, between two looks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from app.core.problems import ConfigurationError


class _Recorded(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seen(_Recorded):
    """Requests of one flow that one release answered. `seconds`: how many, by upper bound."""

    flow: str
    release: str
    requests: NonNegativeInt
    errors: NonNegativeInt = 0
    slow: NonNegativeInt = 0
    seconds: dict[float, NonNegativeInt] = Field(default_factory=dict)


class Observation(_Recorded):
    """Everything since the look before. `at` is in seconds; `missing` names who did not answer.

    `worse` names the outcomes, such as accepted drafts, that the experiment found worse.
    """

    at: float
    flows: tuple[Seen, ...] = ()
    worse: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(slots=True)
class Total:
    """Several observations of one flow and release, added up."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    seconds: Counter[float] = field(default_factory=Counter)


def totals(seen: Iterable[Observation], release: str) -> dict[str, Total]:
    """What a release did in each flow."""
    found: dict[str, Total] = {}
    for item in (item for look in seen for item in look.flows if item.release == release):
        total = found.setdefault(item.flow, Total())
        total.requests += item.requests
        total.errors += item.errors
        total.slow += item.slow
        total.seconds.update(item.seconds)
    return found


def p95(seconds: Mapping[float, int], bounds: Iterable[float]) -> float | None:
    """The 95th percentile, as exact as the bounds are close; None when nothing was counted."""
    wanted = sum(seconds.values()) * 0.95
    if not wanted:
        return None
    below = 0
    for low, high in pairwise([0.0, *sorted(bounds)]):
        count = seconds.get(high, 0)
        if below + count >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / count
        below += count
    return None


def read(path: Path) -> list[Observation]:
    """Read recorded observations, one in a line. Raises ConfigurationError naming the line."""
    found: list[Observation] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(Observation.model_validate_json(line))
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, what["loc"]))
            raise ConfigurationError(f"{path}:{number}: {place}: {what['msg']}") from None
        if len(found) > 1 and found[-1].at <= found[-2].at:
            raise ConfigurationError(f"{path}:{number}: at: it must be later than the line before")
    return found
