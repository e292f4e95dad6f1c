"""Requirements in pyproject.toml, merged by the name of the package; all else by lines."""

import re
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from greenlane.git import run_git
from greenlane.keyed import merge_items

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?")
_MARKER = re.compile(r";.*")


def merge_pyproject(base: str, ours: str, theirs: str) -> str | None:
    """The three texts merged; None where a requirement or another line has a contradiction.

    The arrays are merged first and put into all three texts, so that merging by lines finds no
    difference left in them.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        documents = [tomlkit.parse(text) for text in (base, ours, theirs)]
        arrays = [dict(_arrays(document)) for document in documents]
        settled = False
        for place in arrays[1]:
            if any(place not in side for side in arrays):
                continue
            merged = _merged(*(side[place] for side in arrays))
            if merged is None:
                return None
            comments = [_comments(side[place]) for side in arrays]
            _fill(arrays[1][place], merged)
            if not (comments[1] | comments[2]) - comments[0] <= _comments(arrays[1][place]):
                return None
            for document in (documents[0], documents[2]):
                _set(document, place, arrays[1][place])
            settled = True
        if not settled:
            return None
        return _merge_text(*(tomlkit.dumps(document) for document in documents))
    except (TOMLKitError, ValueError, TypeError, KeyError):
        return None


def _arrays(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Place -> array of every known list of requirements that holds only texts."""
    project = document.get("project", {})
    places = [("project", "dependencies")]
    places += [
        ("project", "optional-dependencies", k) for k in project.get("optional-dependencies", {})
    ]
    places += [("dependency-groups", name) for name in document.get("dependency-groups", {})]
    for place in places:
        found: Any = document
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            yield place, found


def _merged(base: list[str], ours: list[str], theirs: list[str]) -> list[str] | None:
    sides = [_by_name(items) for items in (base, ours, theirs)]
    if any(side is None for side in sides):
        return None
    merged = merge_items(*(side for side in sides if side is not None))
    return list(merged.values()) if merged is not None else None


def _key(requirement: str) -> tuple[str, str]:
    """Normalised name and marker."""
    match = _NAME.match(requirement)
    marker = _MARKER.search(requirement)
    name = re.sub(r"[-_.]+", "-", match[1]).lower() if match else requirement
    return name, marker[0].strip() if marker else ""


def _by_name(items: list[str]) -> dict[tuple[str, str], str] | None:
    """Requirements by key; None when one stands there twice."""
    found = {}
    for item in items:
        key = _key(item)
        if key in found:
            return None
        found[key] = str(item)
    return found


def _fill(array: Any, items: list[str]) -> None:
    """Make `array`, of tomlkit, hold `items` in this order, keeping the lines that stay."""
    wanted = {_key(item): item for item in items}
    for index in range(len(array) - 1, -1, -1):
        item = wanted.get(_key(str(array[index])))
        if item is None:
            del array[index]
        elif item != str(array[index]):
            array[index] = item
    for index, item in enumerate(items):
        if index >= len(array) or str(array[index]) != item:
            array.insert(index, item)


def _comments(array: Any) -> set[str]:
    return set(re.findall(r"#.*", array.as_string()))


def _set(document: MutableMapping[str, Any], place: tuple[str, ...], array: Any) -> None:
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = array


def _merge_text(base: str, ours: str, theirs: str) -> str | None:
    with tempfile.TemporaryDirectory(prefix="greenlane-merge-") as name:
        folder = Path(name)
        for side, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / side).write_bytes(text.encode())
        # The status is the number of conflicts, or 255.
        told = run_git(
            folder, "merge-file", "-p", "-q", "ours", "base", "theirs", accepted=range(256)
        )
    text = told.decode()
    return None if re.search("^<<<<<<< ", text, re.MULTILINE) or not text else text
