"""What the gate says: findings, and the verdict they add up to. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ROUNDING = 1e-9


class Lane(StrEnum):
    """What changed: `code` replays recordings, `model` is a change of model or prompt."""

    CODE = "code"
    MODEL = "model"


class Level(StrEnum):
    """What a rule says, from harmless to worst; the worst one decides."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    NOTICE = "notice"
    INCONCLUSIVE = "inconclusive"
    BLOCK = "block"
    INVALID = "invalid"


_ORDER = list(Level)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found; `todo` says what to do about it, `cases` which cases it is about."""

    level: Level
    rule: str
    message: str
    todo: str = ""
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and everything that led to it."""

    findings: tuple[Finding, ...]
    lane: Lane
    newly_failing: tuple[str, ...] = ()
    newly_passing: tuple[str, ...] = ()

    @property
    def verdict(self) -> Level:
        """pass, inconclusive, block or invalid. A notice does not change a pass."""
        worst = max((finding.level for finding in self.findings), key=_ORDER.index)
        return Level.PASS if worst is Level.NOTICE else worst

    @property
    def exit_status(self) -> int:
        if self.verdict is Level.INCONCLUSIVE:
            return 0 if self.lane is Lane.CODE else 2
        return {Level.PASS: 0, Level.BLOCK: 1, Level.INVALID: 3}[self.verdict]

    def at(self, level: Level) -> list[Finding]:
        return [finding for finding in self.findings if finding.level is level]


def level(wrong: bool, otherwise: Level) -> Level:
    """PASS unless something is wrong."""
    return otherwise if wrong else Level.PASS


def percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"
