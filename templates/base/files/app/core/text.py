"""What others wrote, shown where it must neither steer a terminal nor look like a line of ours."""

import re

# Controls, ends of lines, what turns the direction of writing, and halves of characters.
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, keep: str = "") -> str:
    """Return `text` with what steers and is not seen escaped, but for the characters of `keep`."""
    return _STEERING.sub(lambda found: _escaped(found[0], keep), text)


def _escaped(letter: str, keep: str) -> str:
    return letter if letter in keep else letter.encode("unicode_escape").decode()
