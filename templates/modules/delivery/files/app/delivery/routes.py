"""Where Alertmanager says that a candidate breaks an objective: it is taken back at once."""

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
    """Take the open rollout back when an alert that asks for it names its candidate."""
    rollouts: Rollouts = request.app.state.rollouts
    row = await rollouts.newest()
    if row is None or not row.is_open:
        return Taken(taken_back=None)
    for alert in alerts.alerts:
        labels = alert.labels
        asks = alert.status == "firing" and labels.get("rollout") == "abort"
        if asks and labels.get("release") == row.candidate:
            reason = f"alert {labels.get('alertname', '')}"
            await rollouts.take_back(row, principal, reason)
            return Taken(taken_back=row.candidate)
    return Taken(taken_back=None)
