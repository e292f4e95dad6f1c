"""Objectives of slo.yaml: the one place that says how fast and how reliable each flow must be."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.core import yaml

# A p95 is kept when no more than this share of requests is slower.
SLOW_SHARE = 0.05


class Flow(BaseModel):
    """Objective of one flow: a route or a journey that people notice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    route: str | None = Field(default=None, description="METHOD /path, when the flow is a route")
    p95_ms: float = Field(gt=0)
    error_rate: float = Field(ge=0, le=1, description="Share of requests that may fail")


class Objectives(BaseModel):
    """The whole of slo.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    availability: float = Field(gt=0, lt=1)
    requests_per_second: float = Field(gt=0, description="Load at which the objectives must hold")
    answer_cost_usd: float = Field(gt=0, description="Average cost of a model's answer")
    answer_tokens_out: float = Field(gt=0, description="Average length of a model's answer")
    flows: list[Flow]


class Measured(BaseModel):
    """What a load test saw of one flow."""

    flow: str
    requests: int
    failures: int
    p95_ms: float


def load(path: Path) -> Objectives:
    """Read slo.yaml; raises pydantic's ValidationError naming the field that is wrong."""
    return Objectives.model_validate(yaml.safe_load(path.read_text()))


def breaches(objectives: Objectives, source: Path) -> list[str]:
    """Return a line for each objective that the measurements in `source` do not meet."""
    measured = {
        item.flow: item
        for item in TypeAdapter(list[Measured]).validate_python(json.loads(source.read_text()))
    }
    known = {flow.name for flow in objectives.flows}
    lines = [f"{name}: measured, but slo.yaml has no such flow" for name in measured.keys() - known]
    for flow in objectives.flows:
        item = measured.get(flow.name)
        if item is None or item.requests == 0:
            continue
        if item.p95_ms > flow.p95_ms:
            lines.append(f"{flow.name}: p95 {item.p95_ms:.0f} ms, objective {flow.p95_ms:.0f} ms")
        if (rate := item.failures / item.requests) > flow.error_rate:
            lines.append(f"{flow.name}: {rate:.2%} failed, objective {flow.error_rate:.2%}")
    return lines
