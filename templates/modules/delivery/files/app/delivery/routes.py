"""Where Alertmanager says that a candidate breaks an objective, and whoever moves the traffic
that a version was taken back: the candidate goes back at once, too.
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, Field

from app.core.principal import Principal, principal_of
from app.delivery.store import Rollouts

router = APIRouter(prefix="/rollouts", tags=["rollouts"])

Operator = Annotated[Principal, Security(principal_of, scopes=["rollouts:write"])]


class Alert(BaseModel):
    """What is read of an alert: the other fields of Alertmanager's webhook are let through."""

    status: Annotated[str, Field(max_length=16)]
    labels: Annotated[dict[str, str], Field(max_length=64)]


class Alerts(BaseModel):
    alerts: Annotated[list[Alert], Field(max_length=1000)]


class Taken(BaseModel):
    """`taken_back` names the release that nobody gets any more, if that changed."""

    taken_back: str | None


@router.post("/alerts")
async def receive_alerts(alerts: Alerts, request: Request, principal: Operator) -> Taken:
    """Take the open rollout back when an alert asks for it: by the candidate's name, or because the
    version of the application that it began on was itself taken back.
    """
    rollouts: Rollouts = request.app.state.rollouts
    row = await rollouts.newest()
    if row is None or not row.is_open:
        return Taken(taken_back=None)
    for alert in alerts.alerts:
        if alert.status == "firing" and (reason := _reason(alert.labels, row.candidate)):
            await rollouts.take_back(row, principal, reason)
            return Taken(taken_back=row.candidate)
    return Taken(taken_back=None)


def _reason(labels: Mapping[str, str], candidate: str) -> str | None:
    match labels.get("rollout"):
        case "abort" if labels.get("release") == candidate:
            return f"alert {labels.get('alertname', '')}"
        case "version-taken-back":
            return f"the version {labels.get('version', '')} was taken back"
    return None
