"""What became of something that an experiment may change; the feature it belongs to says."""

from dataclasses import dataclass

from sqlalchemy import Select


@dataclass(frozen=True)
class Outcome:
    """`rows` has the columns tenant_id, subject, outcome and at; `good` outcomes are wished for.

    A subject is what flags are asked for with: the `subject` of the Principal.
    """

    rows: Select
    good: frozenset[str]
