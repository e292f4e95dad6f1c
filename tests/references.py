"""What a rendered tree names and does not have: recipes, modules, settings, files, links."""

import posixpath
import re
from collections.abc import Iterator
from functools import cache

from greenlane.tree import Tree

_OF_OTHERS = re.compile(r"^(knowledge|\.greenlane)/|\.(csv|tar|jsonl|png|bin)$")
# CI asks for them by name, and does without where the infrastructure brings none.
_BY_CHANCE = {"deploy", "preview-deployed"}
# Named under a condition: "where ... lists the hosts".
_IF_THERE = {"policies/data.yaml"}
_RECIPE = re.compile(r"^@?([a-z][a-z0-9-]*)(?: [^\n:]*(?:\"[^\n]*)?)?:(?!=)", re.MULTILINE)
_CALL = re.compile(r"(?:uv run |`|\$ )just ([a-z][\w-]*)")
_IMPORT = re.compile(r"^\s*(?:from|import) ((?:app|tests)(?:\.\w+)*)", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|md|ya?ml|toml|json|sh|rego|tf|csv|jsonl|html))`")
_SETTING = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`")
_PREFIX = re.compile(r'env_prefix="([A-Z_]+)"')
# Made while it runs, or with a word to fill in: policies/NAME.rego.
_ELSEWHERE = re.compile(r"(^|/)var/|[A-Z]{3}")


def missing(tree: Tree) -> Iterator[str]:
    """`path: kind name` for everything that the files of `tree` name and that is not there."""
    texts = {path: file.content.decode() for path, file in tree.items() if _is_text(path)}
    there = {*tree, *(folder for path in tree for folder in _folders(path))}
    recipes = {*_RECIPE.findall(texts["justfile"])} | _BY_CHANCE
    known = {name for path, text in texts.items() for name in _defined(path, text)}
    for path, text in texts.items():
        for kind, name in _named(path, text):
            if kind == "recipe":
                found = name in recipes
            elif kind == "setting":
                found = name in known
            elif kind == "module":
                found = not {name.replace(".", "/"), f"{name.replace('.', '/')}.py"}.isdisjoint(
                    there
                )
            else:
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
                found = beside in there or (kind == "file" and name in there)
            if not found:
                yield f"{path}: {kind} {name}"


@cache
def _named(path: str, text: str) -> list[tuple[str, str]]:
    """Kind and name of what a file names. Most files are the same in every tree."""
    named = {("recipe", name) for name in _CALL.findall(text)}
    if path.endswith(".py"):
        named |= {("module", name) for name in _IMPORT.findall(text)}
    if path.endswith(".md"):
        named |= {("link", name) for name in _LINK.findall(text) if "://" not in name}
        named |= {("setting", name) for name in _SETTING.findall(text)}
        files = {*_PATH.findall(text)} - _IF_THERE
        named |= {("file", name) for name in files if not _ELSEWHERE.search(name)}
    return sorted(named)


def _is_text(path: str) -> bool:
    return not _OF_OTHERS.search(path)


def _folders(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


@cache
def _defined(path: str, text: str) -> set[str]:
    """Names in capitals outside the documentation, and fields of settings with their prefix."""
    if path.endswith(".md"):
        return set()
    fields = re.findall(r"^    (\w+): ", text, re.MULTILINE)
    prefixed = {f"{prefix}{name.upper()}" for prefix in _PREFIX.findall(text) for name in fields}
    return prefixed | {*re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", text)}
