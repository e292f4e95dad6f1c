"""The error that a person sees."""

from collections.abc import Iterable


class GreenlaneError(Exception):
    """Something that the person at the keyboard can put right; shown without a traceback.

    `message` says what happened and what was expected, `hint` what to do. The command ends with
    exit status 2 and has written nothing.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`Did you mean "jobs"?`, or every possible word when none is close."""
    from difflib import get_close_matches

    known = sorted(words)
    if close := get_close_matches(word, known, n=1, cutoff=0.6):
        return f'Did you mean "{close[0]}"?'
    return f"Known: {', '.join(known)}." if known else "None is known."
