"""Reading the YAML of kits and answers: plain data, with a place for every complaint.

Kits come from strangers, so the reader takes less than YAML offers: no tags, anchors or aliases
(an alias bomb needs them), no duplicate keys, no deep nesting, and files of a modest size. Plain
scalars follow YAML 1.2, so that `no` is a word and `2026-11-14` is not a date.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from greenlane.complaints import complain
from greenlane.errors import GreenlaneError, did_you_mean

MANIFEST_BYTES = 256 * 1024
_DEPTH = 16
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")

Trail = tuple[str | int, ...]


class Section:
    """A mapping of a manifest, which knows the file, the line and the key of each value."""

    def __init__(
        self, shown: str, data: dict[str, Any], lines: dict[Trail, int], trail: Trail = ()
    ) -> None:
        self.shown = shown
        self.data = data
        self._lines = lines
        self._trail = trail

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def error(self, key: str | None, problem: str, hint: str = "") -> GreenlaneError:
        """An error about `key` (None: about the whole mapping), with file and line."""
        trail = self._trail if key is None else (*self._trail, key)
        line = self.line_of(key)
        place = f"{self.shown}, line {line}" if line else self.shown
        name = ".".join(str(step) for step in trail)
        subject = f'"{name}" ' if name else ""
        return GreenlaneError(f"{place}: {subject}{problem}", hint)

    def line_of(self, key: str | None = None) -> int:
        """The line of `key`, or else of the whole mapping; 0 when that is a whole file."""
        trail = self._trail if key is None else (*self._trail, key)
        return self._lines.get(trail) or self._lines.get(self._trail) or 0

    def only(self, *known: str) -> None:
        """Refuse any other key."""
        for key in self.data:
            if key not in known:
                complain(self.error(key, "is not a key known here.", did_you_mean(key, known)))

    def text(self, key: str, default: str | None = None) -> str:
        """A text without control characters at either end; required when there is no default."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.error(
                key if key in self.data else None,
                f'needs "{key}", a text.' if key not in self.data else "needs a text.",
                f"Add `{key}: ...`.",
            )
        if not isinstance(value, str):
            raise self.error(
                key, f"is {kind_of(value)}, expected a text.", "Put it in quotes if it is one."
            )
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different single-line texts; empty when the key is missing."""
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.error(
                key, f"is {kind_of(value)}, expected a list of texts.", f"Write `{key}: [...]`."
            )
        seen: set[str] = set()
        for item in value:
            if not isinstance(item, str):
                raise self.error(
                    key,
                    f"holds {item!r}, {kind_of(item)}; expected texts.",
                    "Put it in quotes if it is one.",
                )
            if not item or not item.isprintable():
                raise self.error(key, f"holds {item!r}; expected a text on a single line.")
            if item in seen:
                raise self.error(key, f'holds "{item}" twice.', "Remove one of them.")
            seen.add(item)
        return tuple(value)

    def section(self, key: str) -> "Section":
        """The mapping under `key`; an empty one when the key is missing."""
        value = self.data.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.error(
                key,
                f"is {kind_of(value)}, expected a mapping.",
                f"Write `{key}:` and, indented, `name: ...`.",
            )
        return Section(self.shown, value, self._lines, (*self._trail, key))

    def sections(self, key: str) -> list["Section"]:
        """The list of mappings under `key`; empty when the key is missing."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, "should be a list of mappings.")
        return [
            Section(self.shown, item, self._lines, (*self._trail, key, index))
            for index, item in enumerate(value)
        ]


def kind_of(value: object) -> str:
    """What a YAML author calls this value."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def read_manifest(path: Path, shown: str) -> Section:
    """Read the YAML mapping in `path`; errors name the file as `shown`."""
    content = read_regular_file(path, shown, MANIFEST_BYTES)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise GreenlaneError(
            f"{shown} is not UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from None
    return parse_manifest(text, shown)


def read_regular_file(path: Path | str, shown: str, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; symbolic links are refused."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if Path(path).is_symlink():
            raise GreenlaneError(
                f"{shown} is a symbolic link, which could lead anywhere.",
                "Put a copy of the file there.",
            ) from None
        raise GreenlaneError(f"{shown} cannot be read: {error.strerror}.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GreenlaneError(
                f"{shown} is not a file.", "Only folders and plain files are read."
            )
        if status.st_size > limit:
            raise GreenlaneError(
                f"{shown} has {status.st_size:,} bytes; at most {limit:,} are read.",
                "Make it smaller.",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)


def parse_manifest(text: str, shown: str) -> Section:
    """The YAML mapping in `text`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lines: dict[Trail, int] = {}
    try:
        builder = _Builder(yaml.parse(text, Loader=loader), shown, lines)
        data = builder.document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{shown}, line {mark.line + 1}" if mark else shown
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        raise GreenlaneError(f"{place} is not YAML: {problem}.", "Put it right there.") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise GreenlaneError(
            f"{shown} holds {kind_of(data)}, expected a mapping.", "Write `key: value`."
        )
    return Section(shown, data, lines)


class _Builder:
    """Builds plain data from YAML events, which libyaml delivers without recursion."""

    def __init__(self, events: Iterator[Any], shown: str, lines: dict[Trail, int]) -> None:
        self._events = events
        self._shown = shown
        self._lines = lines

    def document(self) -> object:
        data = None
        documents = 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._refuse(event, "a second document", "Keep one.")
                data = self._value(next(self._events), (), 0)
        return data

    def _value(self, event: Any, trail: Trail, depth: int) -> object:
        kind = type(event).__name__
        line = event.start_mark.line + 1
        self._lines.setdefault(trail, line)
        if kind == "AliasEvent" or event.anchor is not None:
            raise self._refuse(event, "an anchor or alias", "Write the value out in each place.")
        if kind == "ScalarEvent":
            if event.tag is not None:
                raise self._refuse(event, f"the tag {event.tag}", "Remove the tag.")
            return _scalar(event.value) if event.implicit[0] else event.value
        if event.tag is not None:
            raise self._refuse(event, f"the tag {event.tag}", "Remove the tag.")
        if depth >= _DEPTH:
            raise self._refuse(event, f"more than {_DEPTH} levels", "Make it flatter.")
        if kind == "SequenceStartEvent":
            return self._sequence(trail, depth)
        return self._mapping(trail, depth)

    def _sequence(self, trail: Trail, depth: int) -> list[object]:
        items: list[object] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            items.append(self._value(event, (*trail, len(items)), depth + 1))
        return items

    def _mapping(self, trail: Trail, depth: int) -> dict[str, object]:
        data: dict[str, object] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                raise self._refuse(event, "a key that is no text", "Use a plain word as the key.")
            if event.tag is not None or event.anchor is not None:
                raise self._refuse(event, "a tag or anchor on a key", "Remove it.")
            key = event.value
            if key in data:
                raise self._refuse(event, f'the key "{key}" twice', "Keep one of them.")
            self._lines[(*trail, key)] = event.start_mark.line + 1
            data[key] = self._value(next(self._events), (*trail, key), depth + 1)
        return data

    def _refuse(self, event: Any, what: str, hint: str) -> GreenlaneError:
        line = event.start_mark.line + 1
        return GreenlaneError(f"{self._shown}, line {line}: {what} is not accepted here.", hint)


def _scalar(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
