"""What is allowed here: rules in policies/*.rego that `just policy` judges the repository by, and
their table policies/data.yaml, which this feature enforces while the application runs.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.policy import residency
    from app.policy.guard import Guard
    from app.policy.settings import PolicySettings

    allowed = residency.load(PolicySettings().data_file)
    guard = Guard(allowed.residency, services.database, services.metrics)
    services.gateway.permit = guard.permit
    services.egress.allows = allowed.may_call
    services.lifespans.append(guard.running)
