"""What to do next with a rollout: what is seen goes in, an action comes out. No clock, no network.

In doubt it holds: it promotes only on enough good requests, seen up to now and for as long as the
step asks; it rolls back only when so many bad ones are no chance.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from app.core.slo import SLOW_SHARE, Objectives
from app.delivery.observation import Observation, Total, p95, totals
from app.delivery.rollout import Rollout, Stage

Action = Literal["hold", "pause", "promote", "finish", "roll_back"]

# The chance at which so many bad requests are no longer taken for bad luck.
_SURE = 0.001
# A candidate that turns bad is seen by its last minutes, not by all its good ones before.
_RECENT_S = 300.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rollout stands: `stage` of `stages` since `since`, in seconds, in this region."""

    stages: Sequence[Stage]
    stage: int
    since: float
    region: str
    candidate: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    reason: str


def decide(
    rollout: Rollout,
    objectives: Objectives,
    progress: Progress,
    seen: Sequence[Observation],
    now: float,
) -> Decision:
    """Say what to do. `seen` are the observations so far, the oldest first."""
    looks = [look for look in seen if progress.since < look.at <= now]
    recent = [look for look in looks if look.at > now - _RECENT_S]
    for window in (recent, looks):
        if reason := _broken(rollout, objectives, totals(window, progress.candidate), window):
            return Decision("roll_back", reason)
    if reason := _unknown(rollout, looks, now, progress.since):
        return Decision("pause", reason)
    stage = progress.stages[progress.stage]
    if stage.percent[progress.region]:
        candidate = totals(looks, progress.candidate)
        for reason in _doubts(rollout, objectives, candidate):
            return Decision("hold", reason)
        if stage.percent[progress.region] < 100:
            for reason in _slower(rollout, candidate, totals(looks, progress.baseline)):
                return Decision("pause", reason)
    watched = now - _watched_since(looks, rollout.pause.metrics_older_than_s)
    if (left := stage.minutes * 60 - watched) > 0:
        return Decision("hold", f"{math.ceil(left / 60)} minutes left at {stage}")
    following = progress.stages[progress.stage + 1 :]
    if not following or (len(following) == 1 and following[0].minutes == 0):
        return Decision("finish", "every step was good")
    return Decision("promote", f"good at {stage}: on to {following[0]}")


def _broken(
    rollout: Rollout,
    objectives: Objectives,
    candidate: Mapping[str, Total],
    looks: Sequence[Observation],
) -> str | None:
    """Say which objective the candidate surely breaks."""
    for abort in rollout.abort:
        if abort.objective == "outcomes":
            if looks and looks[-1].worse:
                return f"people decide worse: {', '.join(looks[-1].worse)}"
            continue
        for flow, objective, bad, requests, allowed in _shares(objectives, candidate):
            if objective != abort.objective or requests < rollout.fewest_requests.to_abort:
                continue
            limit = min(1.0, allowed * abort.burn)
            if bad / requests > limit and _chance(bad, requests * limit) < _SURE:
                return f"{flow}: {bad} of {requests} break {objective} ({limit:.2%} may)"
    return None


def _shares(
    objectives: Objectives, candidate: Mapping[str, Total]
) -> Iterator[tuple[str, str, int, int, float]]:
    """Flow, objective, bad requests, all of them, and the share that may be bad."""
    for flow in objectives.flows:
        total = candidate.get(flow.name, Total())
        yield flow.name, "error_rate", total.errors, total.requests, flow.error_rate
        yield flow.name, "p95_ms", total.slow, total.requests, SLOW_SHARE
    errors = sum(total.errors for total in candidate.values())
    requests = sum(total.requests for total in candidate.values())
    yield "all flows", "availability", errors, requests, 1 - objectives.availability


def _chance(bad: int, expected: float) -> float:
    """P(so many or more) when `expected` are the rule, after Poisson."""
    term = below = math.exp(-expected)
    for count in range(1, bad):
        term *= expected / count
        below += term
    return max(0.0, 1 - below) if bad else 1.0


def _unknown(
    rollout: Rollout, looks: Sequence[Observation], now: float, since: float
) -> str | None:
    """Say what is missing for a judgement: a gap in the metrics, or somebody who gave none."""
    limit = rollout.pause.metrics_older_than_s
    last = looks[-1].at if looks else since
    if now - last > limit:
        return f"no metrics for {now - last:.0f} s"
    if not looks:
        return "nothing was seen yet"
    if looks[-1].missing:
        return f"no metrics of {', '.join(looks[-1].missing)}"
    return None


def _watched_since(looks: Sequence[Observation], limit: float) -> float:
    """When the looks without a gap began: what nobody saw does not count as watched."""
    gaps = (new.at for old, new in pairwise(looks) if new.at - old.at > limit)
    return max(gaps, default=looks[0].at)


def _doubts(
    rollout: Rollout, objectives: Objectives, candidate: Mapping[str, Total]
) -> Iterator[str]:
    requests = sum(total.requests for total in candidate.values())
    if requests < (enough := rollout.fewest_requests.to_promote):
        yield f"{requests} of {enough} requests"
    for flow, objective, bad, count, allowed in _shares(objectives, candidate):
        if count and bad / count > allowed:
            yield f"{flow}: {bad} of {count} break {objective}, which may be chance"


def _slower(
    rollout: Rollout, candidate: Mapping[str, Total], baseline: Mapping[str, Total]
) -> Iterator[str]:
    enough = rollout.fewest_requests.to_promote
    for flow, new in candidate.items():
        old = baseline.get(flow, Total())
        if new.requests < enough:
            continue
        if old.requests < enough:
            yield f"{flow}: {old.requests} of {enough} requests to compare with"
            continue
        bounds = new.seconds.keys() | old.seconds.keys()
        after, before = p95(new.seconds, bounds), p95(old.seconds, bounds)
        if after and before:
            moved = (after / before - 1) * 100
            if moved > rollout.pause.p95_moves_percent:
                yield f"{flow}: p95 moved by {moved:+.0f} %"
