"""Delivery: a change reaches people step by step, and goes back by itself when it is bad.

rollout.yaml says how, slo.yaml says what is good enough.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    pass
