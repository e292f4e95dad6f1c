"""What every file of a repository must be: used on all rendered trees, not on single files."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping

import yaml

from greenlane.tree import File, Link

# Not written by us: kept byte for byte as published.
_FOREIGN = re.compile(r"(^|/)(vendor|vendored)/|\.min\.(js|css)$|\.(csv|tar|svg)$|\.lock$")
# just has braces of its own, and documents quote them; GitHub's follow a dollar.
_BRACES = re.compile(r"(^|/)justfile$|\.just$|\.md$")
_SPACES = re.compile(r"\.(json|py|toml|ya?ml)$")


def problems(tree: Mapping[str, File | Link], templates: Collection[str] = ()) -> list[str]:
    """`path: what is wrong` for every file that is not as it should be.

    Files in `templates` were rendered, so no template's mark may be left in them.
    """
    return [
        f"{path}: {problem}"
        for path, file in tree.items()
        for problem in (
            *_problems(path, file),
            *(_leftovers(path, file) if path in templates else ()),
        )
    ]


def _leftovers(path: str, file: File | Link) -> Iterator[str]:
    for number, line in enumerate(file.content.decode().splitlines(), 1):
        if re.search(r"\{%|\{#|(?<!\$)\{\{", line) and not _BRACES.search(path):
            yield f"line {number} has a leftover of the template: {line.strip()}"
        if re.search(r" at 0x[0-9a-f]{6,}>", line):
            yield f"line {number} holds an address, another one at each rendering"


def _problems(path: str, file: File | Link) -> Iterator[str]:
    if (file.mode & 0o111 != 0) != file.content.startswith(b"#!"):
        yield "is executable without a first line `#!`, or the other way round"
    if b"\0" in file.content or _FOREIGN.search(path):
        return
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        yield "is neither UTF-8 nor binary"
        return
    yield from _layout(path, text)
    yield from _parse(path, text)


def _layout(path: str, text: str) -> Iterator[str]:
    if "\r" in text:
        yield "has CR line ends"
    if text and not text.endswith("\n"):
        yield "does not end with a line end"
    if text.endswith("\n\n"):
        yield "ends with an empty line"
    if text.startswith("\n"):
        yield "begins with an empty line"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield f"line {number} ends with a space"
        if line.startswith("\t") and _SPACES.search(path):
            yield f"line {number} is indented by a tab"
        if re.match(r"(<<<<<<<|>>>>>>>|=======$)", line):
            yield f"line {number} is a conflict marker"


def _parse(path: str, text: str) -> Iterator[str]:
    parsers: dict[str, Callable[[str], object]] = {
        ".py": ast.parse,
        ".json": json.loads,
        ".jsonl": lambda lines: [json.loads(line) for line in lines.splitlines()],
        ".toml": tomllib.loads,
        ".yml": lambda document: list(yaml.safe_load_all(document)),
        ".yaml": lambda document: list(yaml.safe_load_all(document)),
    }
    for suffix, parse in parsers.items():
        if path.endswith(suffix):
            try:
                parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError, yaml.YAMLError) as error:
                yield f"cannot be read: {error}"
