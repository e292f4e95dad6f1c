"""The regular expressions that a question may use.

An answer is matched while someone waits, and the pattern may come from a stranger's kit. Python's
engine backtracks, so a pattern can take exponential time: by a repeated group, or by many optional
pieces and alternatives. The first are refused, the others counted, and answers are short, so the
worst pattern left takes about a second.
"""

import re

ANSWER_LENGTH = 200
"""Longest answer that is matched against a pattern, in characters."""

_REPEATS = 3
_OPTIONS = 6
_PATTERN_LENGTH = 300
_OPAQUE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"[*+]|\{\d*,?\d*\}")
_OPTION = re.compile(r"[?|]")
_REPEATED_GROUP = re.compile(r"\)\s*(?:[*+]|\{)")


def pattern_problem(pattern: str) -> str:
    """Why `pattern` is not accepted; empty when it is."""
    if len(pattern) > _PATTERN_LENGTH:
        return f"is longer than {_PATTERN_LENGTH} characters."
    if "(?" in _OPAQUE.sub("x", pattern).replace("(?:", "("):
        return "uses (?...), which is not supported here."
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}."
    skeleton = _OPAQUE.sub("x", pattern)
    if _REPEATED_GROUP.search(skeleton):
        return "repeats a group, which can take forever to match."
    if len(_REPEAT.findall(skeleton)) > _REPEATS:
        return f"has more than {_REPEATS} repetitions, which can take forever to match."
    if len(_OPTION.findall(skeleton.replace("(?:", "("))) > _OPTIONS:
        return f"has more than {_OPTIONS} optional pieces, which can take forever to match."
    return ""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches."""
    return len(text) <= ANSWER_LENGTH and re.fullmatch(pattern, text) is not None
