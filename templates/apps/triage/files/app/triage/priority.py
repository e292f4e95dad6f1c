"""How soon a ticket is answered: the intent's base priority, raised by what the customer says."""

import re
from typing import Literal, get_args

Priority = Literal["low", "normal", "high", "urgent"]

# From least to most pressing; the order in which an inbox is worked off, turned around.
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

# Somebody else may be spending the customer's money now.
_AT_RISK = re.compile(
    r"\b(?:stolen|robbed|hacked|fraud(?:ulent|ster)?|scam(?:med|mer)?|phish(?:ed|ing)"
    r"|un-?authori[sz]ed|someone else (?:is|has been) using)\b",
    re.IGNORECASE,
)
# The customer cannot wait for the usual time.
_PRESSING = re.compile(
    r"\b(?:asap|a\.s\.a\.p|urgent(?:ly)?|immediate(?:ly)?|emergency|right (?:now|away)"
    r"|straight away|stranded|at once|deadline|as soon as possible)\b",
    re.IGNORECASE,
)


def priority_of(base: Priority, text: str) -> Priority:
    """Return the priority of a ticket: `base` or higher, never lower.

    Words of theft or fraud make it urgent; words of haste raise it by one step.
    """
    if _AT_RISK.search(text):
        return PRIORITIES[-1]
    step = PRIORITIES.index(base)
    if _PRESSING.search(text):
        step = min(step + 1, len(PRIORITIES) - 1)
    return PRIORITIES[step]


def rank_of(priority: Priority) -> int:
    """0 for the most pressing, so that sorting ascending puts it first."""
    return len(PRIORITIES) - 1 - PRIORITIES.index(priority)
