"""Evals: golden and safety cases, a gate against a committed baseline, and its report.

Only a command line: `app evals --help`. Nothing of it runs while the application serves.
"""

from typing import TYPE_CHECKING

# For types only: the gate is imported with the standard library alone.
if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    """Add nothing: a feature is listed so that its commands are found."""
