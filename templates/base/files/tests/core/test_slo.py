"""slo.yaml and the application agree, and a breach is seen."""

import json
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core import slo

OBJECTIVES = slo.load(Path("slo.yaml"))


def test_every_flow_with_a_route_names_one_that_exists(app: FastAPI) -> None:
    # Pages are routes too, though no part of the API's description.
    routes = {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }
    assert {flow.route for flow in OBJECTIVES.flows if flow.route} <= routes


def test_a_breach_is_named(tmp_path: Path) -> None:
    flow = OBJECTIVES.flows[0]
    result = tmp_path / "load.json"

    def measured(**changes) -> list[str]:
        row = {"flow": flow.name, "requests": 1000, "failures": 0, "p95_ms": flow.p95_ms}
        result.write_text(json.dumps([row | changes]))
        return slo.breaches(OBJECTIVES, result)

    assert measured() == []
    assert "p95" in measured(p95_ms=flow.p95_ms + 1)[0]
    assert "failed" in measured(failures=100)[0]
    assert "no such flow" in measured(flow="unheard")[0]
