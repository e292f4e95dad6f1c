"""The numbers of evals/thresholds.yaml, each by its name. Standard library only.

Strict on purpose: a number that is missing, unknown or mistyped is an error, for a misspelt
threshold would otherwise be a gate that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class ThresholdsError(ValueError):
    """The thresholds cannot be used; the text names the entry and what was expected."""


@dataclass(frozen=True, slots=True)
class Cases:
    at_least: float
    errors_at_most: float


@dataclass(frozen=True, slots=True)
class Fall:
    may_fall_points: float
    proof_p: float


@dataclass(frozen=True, slots=True)
class Accuracy(Fall):
    floor: float
    bless_rise_points: float


@dataclass(frozen=True, slots=True)
class Slices(Fall):
    at_least: float


@dataclass(frozen=True, slots=True)
class Spend:
    may_rise: float


@dataclass(frozen=True, slots=True)
class Latency:
    p95_ms: float
    may_rise: float
    at_least: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    cases: Cases
    accuracy: Accuracy
    slices: Slices
    spend: Spend
    latency: Latency
    must_pass: Mapping[str, float]
    floors: Mapping[str, float]
    ceilings: Mapping[str, float]


_SECTIONS: dict[str, type[Any]] = {
    "cases": Cases,
    "accuracy": Accuracy,
    "slices": Slices,
    "spend": Spend,
    "latency": Latency,
}
_OPEN_SECTIONS = ("must_pass", "floors", "ceilings")


def thresholds_from(document: object, where: str = "thresholds") -> Thresholds:
    """Read the parsed file. Raises ThresholdsError naming the first entry that is wrong."""
    sections = _mapping(document, where)
    _same_names(sections, {*_SECTIONS, *_OPEN_SECTIONS}, where)
    values: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        place = f"{where}, {name}"
        numbers = _numbers(sections[name], place)
        _same_names(numbers, {field.name for field in fields(kind)}, place)
        values[name] = kind(**numbers)
    for name in _OPEN_SECTIONS:
        values[name] = _numbers(sections[name] or {}, f"{where}, {name}")
    return Thresholds(**values)


def numbers_of(thresholds: Thresholds) -> dict[str, float]:
    """Every number by its dotted name, for the report."""
    return {
        f"{section}.{name}": number
        for section, numbers in asdict(thresholds).items()
        for name, number in numbers.items()
    }


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ThresholdsError(f"{where}: expected names with numbers, found {value!r}")
    return value


def _numbers(value: object, where: str) -> dict[str, float]:
    numbers = dict(_mapping(value, where))
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 0:
            raise ThresholdsError(
                f"{where}, {name}: expected a number of zero or more, not {number!r}"
            )
    return numbers


def _same_names(found: Mapping[str, Any], expected: set[str], where: str) -> None:
    if missing := expected - found.keys():
        raise ThresholdsError(f"{where}: {', '.join(sorted(missing))} is missing")
    if unknown := found.keys() - expected:
        raise ThresholdsError(
            f"{where}: unknown entry {', '.join(sorted(unknown))}; "
            f"known are {', '.join(sorted(expected))}"
        )
