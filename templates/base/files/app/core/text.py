"""What others wrote, shown where it must neither steer a terminal nor look like a line of ours."""


def printable(text: str, keep: str = "") -> str:
    """Return `text` with all that cannot be seen escaped, but for the characters in `keep`.

    That is control characters, line ends, and signs that turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in keep
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
