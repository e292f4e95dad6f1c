"""Every flag of this application. What flags.json has beside them, or nothing reads, fails a test.

A new feature ships dormant: its flag's default is off here and in flags.json, and `expires` says by
when it should be on for everybody, and the flag gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Flag(Generic[T]):
    """`default` holds while flags cannot be read; its type is the type of every variant.

    `expires` is None for a switch that is meant to stay.
    """

    name: str
    default: T
    owner: str
    purpose: str
    expires: date | None

    def is_stale(self, today: date) -> bool:
        return self.expires is not None and self.expires < today


RELEASE = Flag[Mapping[str, Any]](
    "release",
    default={"models": "models.yaml", "prompts": "prompts", "threshold": None},
    owner="whoever answers for the models",
    purpose="Which models, prompts and threshold of the small model answer",
    expires=None,
)
ESCALATION = Flag(
    "escalation",
    default=True,
    owner="whoever is on call",
    purpose="Kill switch: what the small model is not sure of goes to the large one",
    expires=None,
)
LARGE_MODEL = Flag(
    "large-model",
    default=True,
    owner="whoever is on call",
    purpose="Kill switch: models that are called over a network may write and decide",
    expires=None,
)

FLAGS: Mapping[str, Flag[Any]] = {flag.name: flag for flag in (ESCALATION, LARGE_MODEL, RELEASE)}
