"""Counters of several processes become what happened since the last look."""

import httpx2
import pytest

from app.core.flows import Flows, answered_by
from app.core.metrics import Metrics
from app.delivery.observation import Observation
from app.delivery.sources import OwnMetrics, Prometheus
from tests.delivery.seen import OBJECTIVES

pytestmark = pytest.mark.anyio


class Process:
    """The counters of one process."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.flows = Flows(self.metrics, OBJECTIVES)

    def draft(self, seconds: float, times: int = 1, *, failed: bool = False) -> None:
        answered_by.set("new")
        for _ in range(times):
            self.flows.finished("draft", seconds, failed=failed)


def new(look: Observation | None) -> dict[str, object]:
    assert look is not None
    item = next(item for item in look.flows if item.release == "new")
    return item.model_dump(exclude={"flow", "release"})


async def test_own_metrics_of_several_processes() -> None:
    processes = {"a": Process(), "b": Process()}

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer token"
        process = processes.get(request.url.host)
        return (
            httpx2.Response(200, text=process.metrics.render().decode())
            if process
            else (httpx2.Response(500))
        )

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    source = OwnMetrics(["http://a/metrics", "http://b/metrics"], "token", client)
    processes["a"].draft(0.1, 50)
    assert await source.look(1) is None, "what was counted before is nobody's"
    processes["a"].draft(0.1, 3)
    processes["b"].draft(3, 2)
    processes["b"].draft(0.1, 1, failed=True)
    found = new(await source.look(2))
    assert (found["requests"], found["errors"], found["slow"]) == (6, 1, 2)
    assert sum(found["seconds"].values()) == 6  # pyrefly: ignore
    processes["a"] = Process()  # started anew
    processes["a"].draft(0.1, 4)
    assert new(await source.look(3))["requests"] == 4
    del processes["b"]
    look = await source.look(4)
    assert look is not None
    assert look.missing == ("http://b/metrics",)


async def test_prometheus_is_asked_for_the_same_counters() -> None:
    counted = {"good": 10.0, "error": 0.0}
    is_up = True

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert "slo_requests_total" in request.url.params["query"]
        labels = {"__name__": "slo_requests_total", "flow": "draft", "release": "new"}
        result = [
            {"metric": {**labels, "instance": "a", "outcome": name}, "value": [0, str(count)]}
            for name, count in counted.items()
        ]
        body = {"status": "success", "data": {"result": result}}
        return httpx2.Response(200 if is_up else 503, json=body)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    source = Prometheus("http://prometheus:9090/", client)
    assert await source.look(1) is None
    counted.update(good=17, error=2)
    found = new(await source.look(2))
    assert (found["requests"], found["errors"]) == (9, 2)
    is_up = False
    look = await source.look(3)
    assert look is not None
    assert look.missing == ("http://prometheus:9090",)
