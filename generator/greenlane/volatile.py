"""Values that a template draws anew at each rendering, as a secret key: the project keeps its own.

Found by rendering the old version once more: what differs from the stored baseline is volatile.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher

from greenlane.sides import Side, is_binary
from greenlane.tree import File, Link


@dataclass(frozen=True, slots=True)
class Kept:
    """`theirs` with the volatile values of the baseline; `paths` are the files that have some."""

    files: dict[str, File | Link]
    paths: tuple[str, ...]


def keep_volatile(base: Side, again: Side, theirs: Side) -> Kept:
    """Put the values of `base` into `theirs` wherever `again`, the same version, has others."""
    files: dict[str, File | Link] = dict(theirs)
    paths = []
    for path, stored in base.items():
        drawn, new = again.get(path), theirs.get(path)
        if drawn is None or drawn.content == stored.content:
            continue
        paths.append(path)
        if isinstance(new, File):
            content = _substituted(stored.content, drawn.content, new.content)
            files[path] = File(content, new.mode)
    return Kept(files, tuple(paths))


def _substituted(stored: bytes, drawn: bytes, new: bytes) -> bytes:
    if is_binary(stored) or is_binary(drawn) or is_binary(new):
        return stored
    old, other = stored.splitlines(keepends=True), drawn.splitlines(keepends=True)
    lines = new.splitlines(keepends=True)
    matcher = SequenceMatcher(a=old, b=other, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "replace" or b - a != d - c:
            continue
        for before, after in zip(old[a:b], other[c:d], strict=True):
            _put(lines, before, after)
    return b"".join(lines)


def _put(lines: list[bytes], before: bytes, after: bytes) -> None:
    """Replace the first line that is like `after` but for the drawn value."""
    start = _common_start(before, after)
    end = _common_start(before[len(start) :][::-1], after[len(start) :][::-1])[::-1]
    # Values share letters by chance; what stands before and after them ends with a sign.
    start = start.rstrip(_LETTERS)
    end = end.lstrip(_LETTERS)
    if not start.strip() and not end.strip():
        return
    for number, line in enumerate(lines):
        fits = line.startswith(start) and line.endswith(end) and len(line) >= len(start) + len(end)
        if fits and line != before:
            lines[number] = before
            return


def _common_start(one: bytes, other: bytes) -> bytes:
    length = 0
    for x, y in zip(one, other, strict=False):
        if x != y:
            break
        length += 1
    return one[:length]


_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
