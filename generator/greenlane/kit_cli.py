"""The commands for authors of kits. Each parses, calls one function and prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.options import common

if TYPE_CHECKING:
    from greenlane.lint import Finding


def register(group: click.Group) -> None:
    """Add the commands to the program."""
    group.add_command(kit)


@click.group(
    short_help="For authors of kits: check, try, begin.",
    epilog="""\b
Examples:
  greenlane kit new acme-kit            a kit of your own, beside the built-in one
  greenlane kit new-module badge        a module, with its test
  greenlane kit lint                    every rule of a kit
  greenlane kit test                    what the kit renders, and updates to it""",
)
def kit() -> None:
    """For authors of kits: check every rule, try what it renders, begin a kit or a module."""


def folder_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument(
        "folder", required=False, type=click.Path(file_okay=False, path_type=Path)
    )(command)


@kit.command(
    epilog="""\b
Exit status: 0 nothing was found; 1 something was.""",
)
@folder_argument
@common
def lint(console: Console, folder: Path | None) -> int:
    """Check every rule of the kit in FOLDER (default: here, or templates/ here)."""
    from greenlane.lint import lint as findings_of

    root = kit_folder(folder)
    findings = findings_of(root)
    if console.as_json:
        console.document({"kit": str(root), "findings": [item.to_dict() for item in findings]})
    else:
        _show_findings(findings, console)
    return int(bool(findings))


def kit_folder(given: Path | None) -> Path:
    """The folder of the kit that is worked on."""
    if given is not None:
        return given
    for folder in (Path(), Path("templates")):
        if (folder / "kit.yml").is_file():
            return folder
    raise GreenlaneError(
        "There is no kit here: neither kit.yml nor templates/kit.yml.",
        "Go to the kit's folder, or name it.",
    )


def _show_findings(findings: list[Finding], console: Console) -> None:
    for item in findings:
        place = f"{item.file}:{item.line}" if item.line else item.file
        rule = console.style(f"({item.rule})", "dim")
        console.line(f"{console.style(place, 'bold')}: {item.message} {rule}")
        if item.hint:
            console.paragraph(item.hint, indent=2)
    if not findings:
        console.line("Every rule holds.")
        return
    console.line()
    files = len({item.file for item in findings})
    console.line(f"{len(findings)} found in {files} file{'s' if files > 1 else ''}.")
