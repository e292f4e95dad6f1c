"""How much of a draft a person changed."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"\S+")
# Comparing takes words x words steps, 0.1 s for so many; of a longer text the first ones count.
_LIMIT = 600


def edit_distance(draft: str, final: str) -> tuple[int, float]:
    """Return the words inserted, removed or replaced, and that over the longer text's words (0..1).

    Words, because an agent thinks in them, and because letters would take seconds for a long text.
    """
    before, after = _WORD.findall(draft)[:_LIMIT], _WORD.findall(final)[:_LIMIT]
    longest = max(len(before), len(after))
    if longest == 0:
        return 0, 0.0
    # What is equal at either end costs nothing: most edits touch a sentence in the middle.
    start = _common(before, after)
    before, after = before[start:], after[start:]
    end = _common(before[::-1], after[::-1])
    distance = _levenshtein(before[: len(before) - end], after[: len(after) - end])
    return distance, distance / longest


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _levenshtein(left: Sequence[str], right: Sequence[str]) -> int:
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, start=1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other)),
            )
    return row[-1]
