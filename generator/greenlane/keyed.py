"""Files that are lists of independent items, merged item by item after lines have collided.

Two additions at the same place of a list are no contradiction: `.gitignore`, `.env.example`, and
the arrays of requirements in `pyproject.toml`. Formatting, comments and order stay the project's.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_ENV = re.compile(r"\s*(?:#\s?)?(?:export\s+)?([A-Z_][A-Z0-9_]*)\s*=")
_IGNORE_FILES = frozenset(
    [".gitignore", ".dockerignore", ".npmignore", ".prettierignore", ".eslintignore", ".helmignore"]
)


@dataclass(frozen=True, slots=True)
class _Item:
    """A keyed line with the comments and blank lines above it."""

    above: str
    line: str


def is_keyed(path: str) -> bool:
    """Whether files of this name are lists of items."""
    name = path.rpartition("/")[2]
    return name in _IGNORE_FILES or name == "pyproject.toml" or _is_env(name)


def merge_keyed(path: str, base: bytes | None, ours: bytes, theirs: bytes) -> bytes | None:
    """The merged content; None where two sides really contradict each other."""
    try:
        old, mine, other = ((content or b"").decode() for content in (base, ours, theirs))
    except UnicodeDecodeError:
        return None
    name = path.rpartition("/")[2]
    if name == "pyproject.toml":
        from greenlane.requirements import merge_pyproject

        merged = merge_pyproject(old, mine, other) if base is not None else None
    elif _is_env(name):
        merged = _merge_lines(old, mine, other, _env_key)
    else:
        merged = _merge_lines(old, mine, other, _ignore_key)
    return merged.encode() if merged is not None else None


def merge_items(
    base: Mapping[_Key, _Value], ours: Mapping[_Key, _Value], theirs: Mapping[_Key, _Value]
) -> dict[_Key, _Value] | None:
    """Three-way merge by key, in the order of ours; None when both changed one key differently.

    What theirs adds comes after the item that precedes it there.
    """
    merged: dict[_Key, _Value] = {}
    for key in dict.fromkeys([*ours, *theirs]):
        before, mine, other = base.get(key), ours.get(key), theirs.get(key)
        if mine != before and other != before and mine != other:
            return None
        chosen = other if mine == before else mine
        if chosen is not None:
            merged[key] = chosen
    order = [key for key in ours if key in merged]
    previous: _Key | None = None
    for key in theirs:
        if key in merged and key not in ours:
            order.insert(order.index(previous) + 1 if previous in order else len(order), key)
        previous = key
    return {key: merged[key] for key in order}


def _is_env(name: str) -> bool:
    return name.startswith(".env") and name.endswith((".example", ".sample", ".template"))


def _env_key(line: str) -> str | None:
    match = _ENV.match(line)
    return match[1] if match else None


def _ignore_key(line: str) -> str | None:
    text = line.strip()
    return text if text and not text.startswith("#") else None


def _merge_lines(
    base: str, ours: str, theirs: str, key_of: Callable[[str], str | None]
) -> str | None:
    sides = [_items(text, key_of) for text in (base, ours, theirs)]
    if any(side is None for side in sides):
        return None
    (old, _), (mine, tail), (other, _) = (side for side in sides if side is not None)
    if not _same_text_around(*(side for side in sides if side is not None)):
        return None
    if key_of is _ignore_key and _order_matters(old, mine, other):
        return None
    lines = merge_items(
        *({k: item.line for k, item in side.items()} for side in (old, mine, other))
    )
    if lines is None:
        return None
    end = "\r\n" if "\r\n" in ours else "\n"
    text = "".join((mine.get(key) or other[key]).above + line + end for key, line in lines.items())
    return text + tail


def _items(text: str, key_of: Callable[[str], str | None]) -> tuple[dict[str, _Item], str] | None:
    """Items by key and what follows the last; None when a key stands there twice."""
    items: dict[str, _Item] = {}
    above = ""
    for line in text.splitlines(keepends=True):
        key = key_of(line)
        if key is None:
            above += line
            continue
        if key in items:
            return None
        items[key] = _Item(above, line.rstrip("\r\n"))
        above = ""
    return items, above


def _same_text_around(
    base: tuple[dict[str, _Item], str],
    ours: tuple[dict[str, _Item], str],
    theirs: tuple[dict[str, _Item], str],
) -> bool:
    """Whether no comment of theirs would be lost: ours has it, or theirs did not touch it."""
    known = set("".join([*(item.above for item in ours[0].values()), ours[1]]).splitlines())
    old = set("".join([*(item.above for item in base[0].values()), base[1]]).splitlines())
    for key, item in theirs[0].items():
        if key in ours[0] and not set(item.above.splitlines()) <= known | old | {""}:
            return False
    return set(theirs[1].splitlines()) <= known | old | {""}


def _order_matters(*sides: Mapping[str, _Item]) -> bool:
    """`!pattern` takes back what stands above it: then the order is part of the meaning."""
    base, ours, theirs = sides
    changed = (base.keys() ^ ours.keys()) | (base.keys() ^ theirs.keys())
    return any(key.startswith("!") for key in changed)
