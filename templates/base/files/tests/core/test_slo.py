"""slo.yaml and the application agree, and a breach is seen."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from app.core import slo

OBJECTIVES = slo.load(Path("slo.yaml"))


@pytest.mark.parametrize(
    "flow", [flow for flow in OBJECTIVES.flows if flow.route], ids=lambda flow: flow.name
)
def test_every_flow_with_a_route_names_one_that_exists(app: FastAPI, flow: slo.Flow) -> None:
    assert flow.route is not None
    method, path = flow.route.split()
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    assert Match.FULL in {route.matches(scope)[0] for route in app.routes}, flow.route


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
