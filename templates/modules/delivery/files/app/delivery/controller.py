"""Walks an open rollout: looks, decides, and moves it on."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from app.core.db import utcnow
from app.core.problems import ConfigurationError
from app.core.slo import Objectives
from app.delivery.decision import Action, Decision, Progress, decide
from app.delivery.models import RolloutRow
from app.delivery.observation import Observation
from app.delivery.sources import Source
from app.delivery.store import Rollouts
from app.flags.experiments import outcomes, report

Note = Callable[[Observation], None]
_OUTCOMES_EVERY_S = 30.0


class Controller:
    """Walks the open rollout, look by look."""

    def __init__(
        self, rollouts: Rollouts, objectives: Objectives, source: Source, note: Note
    ) -> None:
        """`note` is told each observation, to record it."""
        self._rollouts = rollouts
        self._objectives = objectives
        self._source = source
        self._note = note
        self._seen: list[Observation] = []
        self._found_worse: tuple[str, ...] = ()
        self._found_at = float("-inf")
        self._by = rollouts.controller

    async def run(
        self, every_s: float, *, said: Callable[[RolloutRow, Decision], None]
    ) -> RolloutRow | None:
        """Look until the rollout ends; return it. `said` is told of each change of mind."""
        last: tuple[int, Action] | None = None
        while True:
            row = await self._rollouts.newest()
            if row is None or not row.is_open:
                return row
            try:
                decision = await self.look(row)
            except (ConfigurationError, SQLAlchemyError) as error:
                # It stays where it is, and the next look tries again.
                decision = Decision("pause", f"{type(error).__name__}: {error}"[:300])
            if (row.stage, decision.action) != last:
                last = (row.stage, decision.action)
                said(row, decision)
            if decision.action in ("hold", "pause"):
                await asyncio.sleep(every_s)

    async def look(self, row: RolloutRow) -> Decision:
        """Look once at an open rollout, and do what is to be done."""
        if row.state == "taking_back":
            await self._rollouts.take_back(row, self._by, row.reason)
            return Decision("roll_back", row.reason)
        if await self._rollouts.was_changed_by_others(row):
            reason = "the flag was changed by somebody else"
            await self._rollouts.act(row, "leave", self._by, reason, state="left")
            return Decision("finish", reason)
        await self._rollouts.apply(row, self._by)
        now = utcnow()
        observation = await self._source.look(now.timestamp())
        if observation is not None:
            observation = observation.model_copy(update={"worse": await self._worse(row, now)})
            self._seen.append(observation)
            self._note(observation)
        decision = self._decide(row, now)
        await self._do(row, decision)
        return decision

    def _decide(self, row: RolloutRow, now: datetime) -> Decision:
        rollout = self._rollouts.rollout
        since = row.stage_since.timestamp()
        self._seen = [look for look in self._seen if look.at > since]
        progress = Progress(
            rollout.stages(row.kind),
            row.stage,
            since,
            self._rollouts.region,
            row.candidate,
            row.baseline,
        )
        decision = decide(rollout, self._objectives, progress, self._seen, now.timestamp())
        if row.state == "paused" and decision.action != "roll_back":
            return Decision("pause", row.reason)
        return decision

    async def _do(self, row: RolloutRow, decision: Decision) -> None:
        match decision.action:
            case "roll_back":
                await self._rollouts.take_back(row, self._by, decision.reason)
            case "promote":
                await self._rollouts.act(
                    row,
                    "promote",
                    self._by,
                    decision.reason,
                    state="going",
                    stage=row.stage + 1,
                )
            case "finish":
                await self._rollouts.act(row, "finish", self._by, decision.reason, state="promoted")

    async def _worse(self, row: RolloutRow, now: datetime) -> tuple[str, ...]:
        """What the experiment of this rollout found worse; not counted anew at each look."""
        if now.timestamp() - self._found_at < _OUTCOMES_EVERY_S:
            return self._found_worse
        self._found_at = now.timestamp()
        flags = self._rollouts.flags()
        async with self._rollouts.database.reader() as session:
            found = [
                await report(session, flags, row.name, name, row.baseline) for name in outcomes()
            ]
        self._found_worse = tuple(
            item.outcome
            for item in found
            for result in item.results
            if result.variant == row.candidate and result.verdict == "worse"
        )
        return self._found_worse
