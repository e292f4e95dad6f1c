"""Completion at the shell: the scripts, and what Tab offers from the kit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    shell_complete,
    split_arg_string,
)

from greenlane.errors import GreenlaneError
from greenlane.exits import COMPLETION_VARIABLE, PROGRAM
from greenlane.kit import Kit
from greenlane.kits import chosen_kit

Items = list[CompletionItem[str]]


@add_completion_class
class Bash(BashComplete):
    """Bash splits words at `=`, so `--set license=M` would arrive as three words.

    The script hands over the line up to the cursor instead, and gets back what follows the last
    `=`, because that is the word that bash replaces.
    """

    source_template = BashComplete.source_template.replace(
        'COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD',
        'COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_CWORD=0',
    )

    @staticmethod
    def _check_version() -> None:
        """The script may be made on another machine than it is used on: nothing to check here."""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        if line.endswith((" ", "\t")) or not words:
            return words, ""
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        value = str(item.value)
        if item.type == "plain" and not value.startswith("-"):
            value = value.rpartition("=")[2] if _typed_equals() else value
        return f"{item.type},{value}"


def _typed_equals() -> bool:
    line = os.environ.get("COMP_WORDS", "")
    return not line.endswith((" ", "\t")) and "=" in (split_arg_string(line) or [""])[-1]


def script(command: click.Command, shell: str) -> str:
    """The script that a shell sources to complete greenlane."""
    kind = get_completion_class(shell)
    if kind is None:
        raise GreenlaneError(f"There is no completion for {shell}.", "Use bash, zsh or fish.")
    return kind(command, {}, PROGRAM, COMPLETION_VARIABLE).source()


def complete(command: click.Command, instruction: str) -> int:
    """Answers the shell. `instruction`: `bash_complete`, `zsh_source`, ..."""
    return shell_complete(command, {}, PROGRAM, COMPLETION_VARIABLE, instruction)


# -- what can be chosen: an incomplete command line never fails, it offers nothing ----------------


def presets(context: click.Context, incomplete: str) -> Items:
    kit = _kit(context)
    found = kit.presets.values() if kit else ()
    return _matching(((p.name, _line(p.description)) for p in found), incomplete)


def modules(context: click.Context, incomplete: str) -> Items:
    kit = _kit(context)
    before, comma, _ = incomplete.rpartition(",")
    taken = {
        *before.split(","),
        *(context.params.get("with_parts") or ()),
        *(context.params.get("without_parts") or ()),
    }
    found = (p for p in kit.modules.values() if p.name not in taken) if kit else ()
    return _matching(((f"{before}{comma}{p.name}", p.title) for p in found), incomplete)


def names(context: click.Context, incomplete: str) -> Items:
    kit = _kit(context)
    if kit is None:
        return []
    parts = [(part.name, part.title) for part in kit.parts.values()]
    return _matching(
        [*parts, *((p.name, _line(p.description)) for p in kit.presets.values())], incomplete
    )


def settings(context: click.Context, incomplete: str) -> Items:
    """`key=` for the first half of `--set`, then `key=choice` where the choices are known."""
    kit = _kit(context)
    if kit is None:
        return []
    name, assigned, _ = incomplete.partition("=")
    if not assigned:
        keys = [("app=", "archetype"), ("modules=", "modules, separated by commas")]
        keys += [(f"{question.name}=", question.help) for question in kit.questions]
        return _matching(keys, incomplete)
    if name == "app":
        return _matching(((f"app={p.name}", p.title) for p in kit.apps.values()), incomplete)
    for question in kit.questions:
        if question.name == name:
            offered = [(str(choice.value), choice.label) for choice in question.choices]
            if question.type == "bool":
                offered = [("true", "yes"), ("false", "no")]
            return _matching(((f"{name}={value}", label) for value, label in offered), incomplete)
    return []


def _kit(context: click.Context) -> Kit | None:
    root = context.params.get("kit_root")
    try:
        return chosen_kit(Path(root) if root else None)
    except GreenlaneError:
        return None


def _matching(found: Iterable[tuple[str, str]], incomplete: str) -> Items:
    return [
        CompletionItem(value, help=text) for value, text in found if value.startswith(incomplete)
    ]


def _line(text: str) -> str:
    return " ".join(text.split())
