"""Good, slow and failed requests of each flow in slo.yaml, for alerts and rollouts.

Rules of Prometheus need not know the flows: what each is promised is a metric, too.
"""

from contextvars import ContextVar

from app.core.metrics import Metrics
from app.core.slo import SLOW_SHARE, Flow, Objectives

# Which release of models and prompts answered in this request or job; the gateway sets it.
answered_by: ContextVar[str] = ContextVar("answered_by", default="none")

# Each bound is a quarter above the one before: fine enough to see that a percentile moved.
_BOUNDS_S = tuple(round(0.005 * 1.25**step, 4) for step in range(36))


class Flows:
    """Counts what slo.yaml makes promises about. `objectives` are its contents."""

    def __init__(self, metrics: Metrics, objectives: Objectives) -> None:
        self._flows = {flow.name: flow for flow in objectives.flows}
        self._by_route = {flow.route: flow for flow in objectives.flows if flow.route}
        self._requests = metrics.counter(
            "slo_requests_total",
            "Requests of a flow: good, slow or error",
            ("flow", "release", "outcome"),
        )
        self._seconds = metrics.histogram(
            "slo_request_seconds", "Time of a flow", ("flow", "release"), _BOUNDS_S
        )
        promised = metrics.gauge("slo_objective", "What slo.yaml allows", ("flow", "objective"))
        for flow in objectives.flows:
            promised.labels(flow.name, "error_rate").set(flow.error_rate)
            promised.labels(flow.name, "slow_share").set(SLOW_SHARE)
            promised.labels(flow.name, "p95_seconds").set(flow.p95_ms / 1000)
            self._series(flow.name, "none")
        metrics.gauge("slo_availability", "Share of requests that must not fail").set(
            objectives.availability
        )
        answers = metrics.gauge("slo_answer", "What an answer may take, on average", ("objective",))
        answers.labels("cost_usd").set(objectives.answer_cost_usd)
        answers.labels("tokens_out").set(objectives.answer_tokens_out)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, when its route is a flow. What the server is to blame for has failed."""
        if flow := self._by_route.get(f"{method} {route}"):
            self._count(flow, seconds, failed=status >= 500)
        answered_by.set("none")

    def finished(self, name: str, seconds: float, *, failed: bool = False) -> None:
        """Count one run of a flow that is no route; of a name that slo.yaml lacks, nothing."""
        if flow := self._flows.get(name):
            self._count(flow, seconds, failed=failed)

    def _count(self, flow: Flow, seconds: float, *, failed: bool) -> None:
        outcome = "error" if failed else "slow" if seconds * 1000 > flow.p95_ms else "good"
        release = answered_by.get()
        self._series(flow.name, release)
        self._requests.labels(flow.name, release, outcome).inc()
        self._seconds.labels(flow.name, release).observe(seconds)

    def _series(self, flow: str, release: str) -> None:
        # All three from the start: a rate of what is not there is not 0 but nothing.
        for outcome in ("good", "slow", "error"):
            self._requests.labels(flow, release, outcome)
