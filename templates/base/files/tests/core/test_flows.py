"""What slo.yaml promises is counted by flow, and by the release that answered."""

import pytest

from app.core.flows import Flows, answered_by
from app.core.metrics import Metrics
from app.core.slo import Flow, Objectives

OBJECTIVES = Objectives(
    availability=0.99,
    requests_per_second=1,
    answer_cost_usd=0.5,
    answer_tokens_out=50,
    flows=[
        Flow(name="read", route="GET /things/{id}", p95_ms=100, error_rate=0.01),
        Flow(name="write", p95_ms=1000, error_rate=0.02),
    ],
)


def counts(metrics: Metrics, flow: str, release: str) -> dict[str, float]:
    value = metrics.registry.get_sample_value
    return {
        outcome: found
        for outcome in ("good", "slow", "error")
        if (
            found := value(
                "slo_requests_total", {"flow": flow, "release": release, "outcome": outcome}
            )
        )
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def flows(metrics: Metrics) -> Flows:
    answered_by.set("none")
    return Flows(metrics, OBJECTIVES)


def test_requests_are_good_slow_or_failed(metrics: Metrics, flows: Flows) -> None:
    flows.answered("GET", "/things/{id}", 200, 0.1)
    flows.answered("GET", "/things/{id}", 404, 0.1)
    flows.answered("GET", "/things/{id}", 200, 0.11)
    flows.answered("GET", "/things/{id}", 500, 0.11)
    flows.answered("GET", "/elsewhere", 500, 9)
    assert counts(metrics, "read", "none") == {"good": 2, "slow": 1, "error": 1}


def test_the_release_is_that_of_this_request_only(metrics: Metrics, flows: Flows) -> None:
    answered_by.set("new")
    flows.answered("GET", "/things/{id}", 200, 0.1)
    flows.answered("GET", "/things/{id}", 200, 0.1)
    assert counts(metrics, "read", "new") == {"good": 1}
    assert counts(metrics, "read", "none") == {"good": 1}


def test_a_flow_without_a_route_says_when_it_is_finished(metrics: Metrics, flows: Flows) -> None:
    flows.finished("write", 0.9)
    flows.finished("write", 0.9, failed=True)
    flows.finished("unheard", 0.9)
    assert counts(metrics, "write", "none") == {"good": 1, "error": 1}


def test_promises_are_metrics(metrics: Metrics, flows: Flows) -> None:
    value = metrics.registry.get_sample_value
    assert value("slo_objective", {"flow": "read", "objective": "error_rate"}) == 0.01
    assert value("slo_objective", {"flow": "write", "objective": "p95_seconds"}) == 1
    assert value("slo_availability") == 0.99
    assert value("slo_answer", {"objective": "cost_usd"}) == 0.5
