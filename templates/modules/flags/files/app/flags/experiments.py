"""What an experiment found: outcomes by variant, and whether they differ by more than chance."""

import importlib
import importlib.util
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.outcomes import Outcome
from app.core.problems import ConfigurationError
from app.features import FEATURES
from app.flags.changes import changes, flag_of
from app.flags.document import Definition, Document, shares
from app.flags.intervals import Interval, difference, mismatch, share
from app.flags.models import FlagExposure

_SURE = 0.001
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """One variant. `exposed` got it, `decided` of them have an outcome, `by_outcome` says which."""

    variant: str
    exposed: int
    decided: int
    by_outcome: Mapping[str, int]
    rate: Interval
    against_control: Interval | None

    @property
    def verdict(self) -> str:
        if self.against_control is None:
            return "control"
        if self.against_control.low > 0:
            return "better"
        return "worse" if self.against_control.high < 0 else "may be chance"


@dataclass(frozen=True, slots=True)
class Report:
    """`split_p` below 0.001 is a sample ratio mismatch. `left_out` saw more than one variant."""

    experiment: str
    flag: str
    outcome: str
    good: tuple[str, ...]
    control: str
    expected: Mapping[str, int]
    split_p: float
    left_out: int
    results: tuple[Result, ...]

    @property
    def is_mismatched(self) -> bool:
        return self.split_p < _SURE


def outcomes(features: Iterable[str] = FEATURES) -> dict[str, Outcome]:
    """What can be measured, as the `OUTCOMES` in each feature's outcomes.py say."""
    return {
        name: outcome
        for feature in features
        if importlib.util.find_spec(f"{feature}.outcomes")
        for name, outcome in importlib.import_module(f"{feature}.outcomes").OUTCOMES.items()
    }


async def definition_of(
    session: AsyncSession, document: Document, experiment: str
) -> tuple[str, Definition]:
    """The flag and rules of an experiment: those of now, or the last there were.

    Raises ConfigurationError when there never was one of that name.
    """
    for name, definition in document["flags"].items():
        if _experiment(definition) == experiment:
            return name, definition
    for change in await changes(session, None, None):
        if _experiment(change.after) == experiment:
            return flag_of(change), change.after
    known = sorted(set(await session.scalars(select(FlagExposure.experiment))))
    raise ConfigurationError(
        f"no experiment {experiment!r}; there are: {', '.join(known) or 'none'}. "
        "Begin one: app flags set FLAG VARIANT=PERCENT --experiment NAME"
    )


async def report(
    session: AsyncSession,
    document: Document,
    experiment: str,
    outcome: str,
    control: str | None = None,
) -> Report:
    """Raises ConfigurationError for an unknown experiment, outcome or control."""
    measured = _one(outcomes(), outcome, "outcome")
    flag, definition = await definition_of(session, document, experiment)
    control = control or definition["defaultVariant"]
    _one(definition["variants"], control, "variant")
    counts, left_out = await _counts(session, experiment, measured)
    exposed = {variant: sum(found.values()) for variant, found in counts.items()}
    expected = shares(definition)
    base = _rate(counts[control], measured)
    order = [control, *sorted({*expected, *counts} - {control})]
    return Report(
        experiment=experiment,
        flag=flag,
        outcome=outcome,
        good=tuple(sorted(measured.good)),
        control=control,
        expected=expected,
        split_p=mismatch(exposed, expected),
        left_out=left_out,
        results=tuple(
            _result(variant, counts[variant], measured, None if variant == control else base)
            for variant in order
        ),
    )


async def _counts(
    session: AsyncSession, experiment: str, outcome: Outcome
) -> tuple[dict[str, Counter[str]], int]:
    """Subjects by variant and outcome ("" for none yet), without those who saw several variants."""
    who = (FlagExposure.tenant_id, FlagExposure.subject)
    mixed = (
        select(*who)
        .where(FlagExposure.experiment == experiment)
        .group_by(*who)
        .having(func.count() > 1)
    )
    came = outcome.rows.subquery()
    joined = and_(
        came.c.tenant_id == FlagExposure.tenant_id,
        came.c.subject == FlagExposure.subject,
        came.c.at >= FlagExposure.first_at,
    )
    query = (
        select(FlagExposure.variant, came.c.outcome, func.count())
        .outerjoin(came, joined)
        .where(FlagExposure.experiment == experiment, tuple_(*who).not_in(mixed))
        .group_by(FlagExposure.variant, came.c.outcome)
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for variant, name, count in await session.execute(query):
        counts[variant][name or ""] += count
    left_out = await session.scalar(select(func.count()).select_from(mixed.subquery()))
    return counts, left_out or 0


def _result(variant: str, counts: Counter[str], outcome: Outcome, base: Interval | None) -> Result:
    rate = _rate(counts, outcome)
    return Result(
        variant=variant,
        exposed=counts.total(),
        decided=counts.total() - counts[""],
        by_outcome={name: count for name, count in sorted(counts.items()) if name},
        rate=rate,
        against_control=difference(rate, base) if base else None,
    )


def _rate(counts: Counter[str], outcome: Outcome) -> Interval:
    return share(sum(counts[name] for name in outcome.good), counts.total() - counts[""])


def _experiment(definition: Definition) -> str | None:
    return definition.get("metadata", {}).get("experiment")


def _one(known: Mapping[str, T], name: str, what: str) -> T:
    if name not in known:
        raise ConfigurationError(f"no {what} {name!r}; there are: {', '.join(known) or 'none'}")
    return known[name]
