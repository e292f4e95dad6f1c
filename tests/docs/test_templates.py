"""Every command of docs/templates.md exists, with the options that the page gives it."""

from pathlib import Path

import pytest

from greenlane.cli import cli
from literate import Command, steps

PAGE = (Path(__file__).resolve().parents[2] / "docs/templates.md").read_text()
COMMANDS = [step for step in steps(PAGE) if isinstance(step, Command)]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command(command: Command) -> None:
    program, *words = command.words
    if program == "git":
        return
    assert program == "greenlane"
    name, *arguments = words
    cli.commands[name].make_context(name, arguments, resilient_parsing=False)
