"""rollout.yaml for those who move the traffic: Argo Rollouts, and weights of a load balancer.

What is made here is kept in the repository beside what uses it; a test says when the two differ.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from app.delivery.rollout import Kind, Rollout, Stage

_MADE = "# Made from rollout.yaml by `app rollout render argo`: change that, not this.\n"
_API = "argoproj.io/v1alpha1"
_SLO, _SWITCHED, _P95 = "slo", "slo-after-switch", "p95-moves"
_LOOK_S = 30
# The ratios that ops/prometheus records: above 1 the objective of slo.yaml is broken.
_RECORDED = {
    "error_rate": "slo:error_rate:of_objective5m",
    "p95_ms": "slo:slow_share:of_objective5m",
    "availability": "slo:budget_burn:rate5m",
}


def argo(rollout: Rollout, kind: Kind, region: str) -> dict[str, str]:
    """A patch for each strategy of the Rollout `app`, and the analyses that they name."""
    canary = {
        "canary": {
            "analysis": _analysis(_SLO) | {"startingStep": 1},
            "steps": [step for stage in _of_region(rollout, kind, region) for step in stage],
        }
    }
    blue_green = {
        "blueGreen": {
            "activeService": "app",
            "previewService": "app-preview",
            "autoPromotionEnabled": True,
            "scaleDownDelaySeconds": round(rollout.blue_green.keep_old_minutes * 60),
            "postPromotionAnalysis": _analysis(_SWITCHED),
        }
    }
    return {
        "rollout-canary.yaml": _text(_patch(canary)),
        "rollout-blue-green.yaml": _text(_patch(blue_green)),
        "analysis-templates.yaml": _text(
            _slo_template(rollout, _SLO, None),
            _slo_template(rollout, _SWITCHED, rollout.blue_green.watch_minutes),
            _p95_template(rollout),
        ),
    }


def ecs(rollout: Rollout, kind: Kind, region: str) -> dict[str, str]:
    """Variables of Terraform: the weights of the listener's two target groups, step by step."""
    steps = [
        {
            "candidate": stage.percent[region],
            "current": 100 - stage.percent[region],
            "minutes": stage.minutes,
        }
        for stage in rollout.stages(kind)
    ]
    variables = {
        "rollout_steps": steps,
        "blue_green_watch_minutes": rollout.blue_green.watch_minutes,
        "blue_green_keep_old_minutes": rollout.blue_green.keep_old_minutes,
    }
    return {"rollout.auto.tfvars.json": json.dumps(variables, indent=2) + "\n"}


RENDERERS: Mapping[str, Callable[[Rollout, Kind, str], dict[str, str]]] = {
    "argo": argo,
    "ecs": ecs,
}


def _of_region(rollout: Rollout, kind: Kind, region: str) -> list[list[dict[str, Any]]]:
    return [_steps(stage, region) for stage in rollout.stages(kind)]


def _steps(stage: Stage, region: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"setWeight": stage.percent[region]}]
    if stage.minutes:
        steps.append({"pause": {"duration": f"{round(stage.minutes * 60)}s"}})
        # Neither success nor failure is inconclusive, which holds the rollout at its step.
        steps.append({"analysis": _analysis(_P95)})
    return steps


def _analysis(template: str) -> dict[str, Any]:
    return {
        "templates": [{"templateName": template}],
        "args": [
            {"name": "version", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
        ],
    }


def _slo_template(rollout: Rollout, name: str, minutes: float | None) -> dict[str, Any]:
    """Look until the rollout ends, or for so many minutes. Without data it goes on looking."""
    looks = max(1, round(minutes * 60 / _LOOK_S)) if minutes is not None else None
    # Looks without data, before Argo gives up looking and holds.
    patience = (
        {"count": looks, "inconclusiveLimit": looks - 1}
        if looks
        else {"inconclusiveLimit": 100_000}
    )
    metrics = [
        _metric(
            abort.objective.replace("_", "-"),
            _enough(
                rollout, f'max({_RECORDED[abort.objective]}{{version="{{{{args.version}}}}"}})'
            ),
            success=f"len(result) > 0 && result[0] <= {abort.burn:g}",
            failure=f"len(result) > 0 && result[0] > {abort.burn:g}",
        )
        | {"interval": f"{_LOOK_S}s", **patience}
        for abort in rollout.abort
        if abort.objective in _RECORDED
    ]
    return _template(name, metrics)


def _p95_template(rollout: Rollout) -> dict[str, Any]:
    recorded = "slo:p95_seconds:5m"
    query = (
        f'max(max by (flow) ({recorded}{{version="{{{{args.version}}}}"}}) / on (flow) '
        f'max by (flow) ({recorded}{{version="{{{{args.stable}}}}"}}))'
    )
    limit = 1 + rollout.pause.p95_moves_percent / 100
    metric = _metric(
        "p95",
        _enough(rollout, query),
        success=f"len(result) > 0 && result[0] <= {limit:g}",
        failure="false",
    )
    return _template(_P95, [metric | {"count": 1}])


def _enough(rollout: Rollout, query: str) -> str:
    """No answer, and so neither success nor failure, while there were too few requests."""
    requests = 'sum(slo:requests:increase5m{version="{{args.version}}"})'
    return f"{query} and on () {requests} >= {rollout.fewest_requests.to_promote}"


def _metric(name: str, query: str, *, success: str, failure: str) -> dict[str, Any]:
    return {
        "name": name,
        "successCondition": success,
        "failureCondition": failure,
        "failureLimit": 0,
        "provider": {"prometheus": {"address": "{{args.prometheus}}", "query": query}},
    }


def _template(name: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": {
            "args": [
                {"name": "version"},
                {"name": "stable"},
                {"name": "prometheus", "value": "http://prometheus:9090"},
            ],
            "metrics": metrics,
        },
    }


def _patch(strategy: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "Rollout",
        "metadata": {"name": "app"},
        "spec": {"strategy": strategy},
    }


def _text(*documents: dict[str, Any]) -> str:
    return _MADE + yaml.safe_dump_all(documents, sort_keys=False, width=120)
