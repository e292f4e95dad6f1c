"""slo.yaml and the application agree, and a breach is seen."""

import json
from pathlib import Path

from fastapi import FastAPI

from app.core import slo

OBJECTIVES = slo.load(Path("slo.yaml"))


def test_every_flow_with_a_route_names_one_that_exists(app: FastAPI) -> None:
    routes = {
        f"{method} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in map(str.upper, methods)
    } | {
        f"{method} {getattr(route, 'path', '')}"
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
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
