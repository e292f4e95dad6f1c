"""The controller does what was decided, and only that."""

import asyncio
from collections.abc import Iterable

import pytest

from app.core.slo import Objectives
from app.delivery.controller import Controller
from app.delivery.decision import Decision
from app.delivery.models import RolloutRow
from app.delivery.observation import Observation
from app.delivery.rollout import Canary, Rollout, Step
from app.delivery.store import Rollouts
from tests.delivery.conftest import ADA
from tests.delivery.seen import OBJECTIVES, minute
from tests.delivery.test_store import given, pinned_to, started
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio
OBJECTIVE: Objectives = OBJECTIVES


class Recorded:
    """Observations one after the other, then none."""

    def __init__(self, looks: Iterable[Observation]) -> None:
        self.looks = list(looks)

    async def look(self, now: float) -> Observation | None:
        return self.looks.pop(0).model_copy(update={"at": now}) if self.looks else None


def quick(rollouts: Rollouts) -> Rollout:
    """The same description without waiting."""
    steps = tuple(Step(percent=percent, minutes=0) for percent in (5, 50, 100))
    canary = dict.fromkeys(rollouts.rollout.canary, Canary(steps=steps))
    return rollouts.rollout.model_copy(update={"canary": canary})


async def walked(
    rollouts: Rollouts, looks: Iterable[Observation]
) -> tuple[RolloutRow, list[tuple[int, Decision]]]:
    said: list[tuple[int, Decision]] = []
    controller = Controller(rollouts, OBJECTIVE, Recorded(looks), lambda _look: None)
    async with asyncio.timeout(20):
        row = await controller.run(
            0.01, said=lambda row, decision: said.append((row.stage, decision))
        )
    assert row is not None
    return row, said


async def test_good_looks_end_with_everybody(rollouts: Rollouts, two_releases: FlagFile) -> None:
    rollouts.rollout = quick(rollouts)
    await started(rollouts)
    row, said = await walked(rollouts, [minute(1, requests=500, baseline=500)] * 2)
    assert row.state == "promoted"
    assert pinned_to(two_releases) == "current"
    assert [decision.action for _, decision in said] == ["promote", "finish"]


async def test_a_bad_look_ends_with_the_baseline(
    rollouts: Rollouts, two_releases: FlagFile
) -> None:
    await started(rollouts)
    row, _ = await walked(rollouts, [minute(1), minute(2, errors=20)])
    assert row.state == "rolled_back"
    assert "error_rate" in row.reason
    assert pinned_to(two_releases) == "previous"


async def test_a_paused_rollout_waits_but_is_still_taken_back(
    rollouts: Rollouts, two_releases: FlagFile
) -> None:
    rollouts.rollout = quick(rollouts)
    row = await started(rollouts)
    await rollouts.act(row, "pause", ADA, "lunch", state="paused")
    row, said = await walked(rollouts, [minute(1, requests=500), minute(2, errors=30)])
    assert [decision.action for _, decision in said] == ["pause", "roll_back"]
    assert pinned_to(two_releases) == "previous"


async def test_a_persons_change_is_left_alone(rollouts: Rollouts, two_releases: FlagFile) -> None:
    await started(rollouts)
    two_releases.alter("release", targeting={}, defaultVariant="current")
    row, _ = await walked(rollouts, [minute(1, errors=30)])
    assert row.state == "left"
    assert pinned_to(two_releases) == "current"


async def test_it_goes_on_where_another_stopped(rollouts: Rollouts, two_releases: FlagFile) -> None:
    rollouts.rollout = quick(rollouts)
    await started(rollouts)
    first = Controller(rollouts, OBJECTIVE, Recorded([minute(1, requests=500)]), lambda _: None)
    row = await rollouts.newest()
    assert row is not None
    assert (await first.look(row)).action == "promote"
    assert given(two_releases) == {"current": 50, "previous": 50}
    row, said = await walked(rollouts, [minute(2, requests=500)])
    assert row.state == "promoted"
    assert [(stage, decision.action) for stage, decision in said] == [(1, "finish")]
