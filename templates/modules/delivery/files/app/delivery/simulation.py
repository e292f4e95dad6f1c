"""A rollout of recorded metrics: what the controller would have done, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.core.slo import Objectives
from app.delivery.decision import Decision, Progress, decide
from app.delivery.observation import Observation
from app.delivery.rollout import Kind, Rollout


@dataclass(frozen=True, slots=True)
class Moment:
    at: float
    stage: str
    decision: Decision


def simulate(
    rollout: Rollout,
    objectives: Objectives,
    kind: Kind,
    seen: Sequence[Observation],
    *,
    candidate: str,
    baseline: str,
) -> Iterator[Moment]:
    """Yield each decision that differs from the one before, until the end of rollout or metrics."""
    stages, region = rollout.stages(kind), rollout.regions[0]
    progress = Progress(stages, 0, seen[0].at - 1 if seen else 0.0, region, candidate, baseline)
    last: Decision | None = None
    for now in _clock(seen, rollout.pause.metrics_older_than_s):
        decision = decide(rollout, objectives, progress, seen, now)
        if last is None or decision.action != last.action or decision.action == "promote":
            yield Moment(now, str(stages[progress.stage]), decision)
        last = decision
        if decision.action in ("finish", "roll_back"):
            return
        if decision.action == "promote":
            progress = replace(progress, stage=progress.stage + 1, since=now)


def _clock(seen: Sequence[Observation], patience: float) -> Iterator[float]:
    """Each look, and the moment at which one is missed."""
    for position, look in enumerate(seen):
        yield look.at
        missed = look.at + patience + 1
        if position + 1 == len(seen) or seen[position + 1].at > missed:
            yield missed
