"""The regular expressions that a question may use."""

import re

from greenlane.limits import time_limit

_PATTERN_LENGTH = 300
_SECONDS = 2.0


def pattern_problem(pattern: str) -> str:
    """Why `pattern` is not accepted; empty when it is."""
    if len(pattern) > _PATTERN_LENGTH:
        return f"is longer than {_PATTERN_LENGTH} characters."
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}."
    return ""


def matches(pattern: str, text: str, shown: str) -> bool:
    """Whether the whole of `text` matches.

    Python's engine backtracks, and some patterns take it years: GreenlaneError after 2 s.
    """
    with time_limit(_SECONDS, shown):
        return re.fullmatch(pattern, text) is not None
