"""What must hold of every rendered tree. `problems` lists what does not, by path."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import yaml

from greenlane.tree import Tree

# What is left when a template was not rendered, or rendered half. Files that are templates
# themselves, or have braces of their own, are looked at without those.
LEFTOVER = re.compile(r"\{\{|\{%|\{#|\}\}|%\}|<<<<<<<|>>>>>>>")
TEMPLATE_FOLDERS = {"templates", "prompts"}
OWN_BRACES = {
    "justfile": re.compile(r"\{\{ *[a-z_]+ *\}\}"),
    ".yml": re.compile(r"\$\{\{.*?\}\}"),
    ".yaml": re.compile(r"\$\{\{.*?\}\}|\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"),
}
VENDORED = re.compile(r"\.min\.(js|css)$")
BINARY = {".png", ".jpg", ".ico", ".woff2", ".npz", ".gz"}


def problems(tree: Tree) -> list[str]:
    """Each problem as `path: what`. Empty for a clean tree."""
    found = []
    for path, file in tree.items():
        if PurePosixPath(path).suffix in BINARY:
            continue
        try:
            text = file.content.decode()
        except UnicodeDecodeError as error:
            found.append(f"{path}: not UTF-8: {error}")
            continue
        found += [f"{path}: {problem}" for problem in _of_text(PurePosixPath(path), text)]
    return found


def _of_text(path: PurePosixPath, text: str) -> Iterator[str]:
    if "\r" in text:
        yield "has carriage returns"
    if path.name == "__init__.py" and not text:
        return
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "does not end with exactly one line break"
    if not VENDORED.search(path.name):
        yield from _of_lines(path, text)
    if path.suffix in _PARSERS:
        try:
            _PARSERS[path.suffix](text)
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            yield f"is not valid: {error}"


def _of_lines(path: PurePosixPath, text: str) -> Iterator[str]:
    own = OWN_BRACES.get(path.name) or OWN_BRACES.get(path.suffix)
    is_template = path.suffix in {".j2", ".html", ".mako"} or TEMPLATE_FOLDERS & set(path.parts)
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield f"line {number} ends with spaces"
        if path.suffix == ".py" or is_template:
            continue
        if match := LEFTOVER.search(own.sub("", line) if own else line):
            yield f"line {number} has a leftover {match[0]!r}"
    # Python and its templates have two blank lines of right.
    if re.search(r"\n\n\n\n" if path.suffix in {".py", ".mako"} else r"\n\n\n", text):
        yield "has several blank lines in a row"


def _yaml(text: str) -> None:
    for document in yaml.parse(text, Loader=yaml.SafeLoader):
        del document
    list(yaml.safe_load_all(text))


def _json_lines(text: str) -> None:
    for line in text.splitlines():
        json.loads(line)


_PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".jsonl": _json_lines,
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": _yaml,
    ".yml": _yaml,
}
