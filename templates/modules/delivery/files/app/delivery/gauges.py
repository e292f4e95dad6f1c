"""Where a rollout stands, for alerts and dashboards."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.metrics import Metrics
from app.delivery.store import Rollouts

log = structlog.get_logger("app.delivery")

_EVERY_S = 2.0


class Gauges:
    def __init__(self, rollouts: Rollouts, metrics: Metrics) -> None:
        self._rollouts = rollouts
        self._percent = metrics.gauge(
            "rollout_percent", "Share of an open rollout's candidate", ("kind", "release")
        )
        metrics.gauge("rollout_fewest_requests", "Before them nothing is decided").set(
            rollouts.rollout.fewest_requests.to_promote
        )

    async def measure(self) -> None:
        while True:
            try:
                row = await self._rollouts.newest()
            except SQLAlchemyError as error:
                log.warning("rollout_unmeasured", error=type(error).__name__)
            else:
                self._percent.clear()
                if row and row.is_open and row.state != "taking_back":
                    percent = self._rollouts.stage(row).percent[self._rollouts.region]
                    self._percent.labels(row.kind, row.candidate).set(percent)
            await asyncio.sleep(_EVERY_S)
