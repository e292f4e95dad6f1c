"""What rules and dashboards ask for is what the application and the recording rules offer.

`promtool test rules ops/prometheus/tests/*.yml` tests the rules themselves.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI

from app.delivery.rendering import argo
from app.delivery.rollout import load

OPS = Path("ops")
RULES = sorted((OPS / "prometheus/rules").glob("*.yml"))
DASHBOARDS = sorted((OPS / "dashboards").glob("*.json"))
# Names of metrics are those that have an underscore or a colon, and no bracket after them.
_NAME = re.compile(r"\b[a-z][a-z0-9]*[_:][a-z0-9_:]*\b(?!\s*\()")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def asked(expression: str) -> set[str]:
    """Names of metrics in an expression: what is left without labels, strings and groupings."""
    text = re.sub(r"\{\{[^}]*\}\}", "", expression)
    text = re.sub(r"\{[^}]*\}|\"[^\"]*\"", "", text)
    text = re.sub(r"\b(by|on|group_left|without|ignoring)\s*\([^)]*\)", "", text)
    return {_SUFFIX.sub("", name) for name in _NAME.findall(text)} - {"group_left"}


@pytest.fixture(scope="module")
def offered() -> set[str]:
    """What the code registers somewhere, and what rules record."""
    code = "\n".join(path.read_text() for path in Path("app").rglob("*.py"))
    registered = re.findall(r"\.(?:counter|gauge|histogram)\(\s*\"([a-z_]+)\"", code)
    return {*registered, *(rule["record"] for rule in rules() if "record" in rule)}


def test_names_are_found_in_expressions() -> None:
    expression = 'sum by (le_x) (rate(a_total{b_c="d_e"}[5m])) / on () group_left () max(f:g:5m)'
    assert asked(expression) == {"a_total", "f:g:5m"}


def test_rules_ask_for_what_there_is(offered: set[str]) -> None:
    for rule in rules():
        assert asked(rule["expr"]) <= offered, rule


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_for_what_there_is(path: Path, offered: set[str]) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    expressions = [item["expr"] for panel in board["panels"] for item in panel["targets"]]
    assert expressions
    for expression in expressions:
        names = asked(expression)
        assert names, expression
        assert names <= offered, expression


def test_argo_asks_for_what_is_recorded(offered: set[str]) -> None:
    rollout = load(Path("rollout.yaml"))
    text = argo(rollout, "application", rollout.regions[0])["analysis-templates.yaml"]
    for template in yaml.safe_load_all(text):
        for metric in template["spec"]["metrics"]:
            query = metric["provider"]["prometheus"]["query"]
            names = asked(query)
            assert len(names) >= 2, query
            assert names <= {name for name in offered if name.startswith("slo:")}, query


def test_what_is_counted_from_the_start_is_in_the_metrics(app: FastAPI) -> None:
    text = app.state.services.metrics.render().decode()
    for name in ("slo_requests_total", "slo_objective", "slo_answer", "slo_availability"):
        assert f"\n{name}" in text
