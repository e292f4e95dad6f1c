"""Every command in README.md exists, with the options and names that the README gives it."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from greenlane.answers import resolve
from greenlane.cli import cli
from greenlane.combinations import everything
from greenlane.errors import GreenlaneError
from greenlane.kit import load_kit
from greenlane.render import render
from literate import Command, steps

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "README.md").read_text()
COMMANDS = [step for step in steps(PAGE) if isinstance(step, Command)]
# What a reader does around greenlane; nothing of ours to check.
SURROUNDINGS = {"cd", "git", "pip", "pipx", "open", "export", "curl"}


def check(command: Command) -> None:
    """Raise when the command cannot be what its reader is told it is."""
    words = list(command.words)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    program = words[0].rpartition("/")[2]
    if program == "make":
        _make(words[1:])
    elif program == "greenlane":
        _greenlane(words[1:])
    elif words[:2] == ["uvx", "greenlane"]:
        _greenlane(words[2:])
    elif words[:3] == ["uv", "run", "just"]:
        _just(words[3])
    elif words[:3] == ["uv", "run", "app"]:
        assert len(words) > 3, f"{command}: which command of the application?"
    elif program.startswith("python"):
        _script(words[1:])
    else:
        assert program in SURROUNDINGS, f"{command}: {program} is nothing known"


def _make(arguments: list[str]) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    makefile = (ROOT / "Makefile").read_text()
    for name in (word.partition("=")[0] for word in arguments if "=" in word):
        assert f"$({name})" in makefile, f"make: {name} is no option of the Makefile"


def _greenlane(arguments: list[str]) -> None:
    """Parsed by the very command, and every name in it is one of the kit's. Nothing is run."""
    if not arguments or arguments[0] in {"--help", "--version"}:
        return
    command = cli.commands[arguments[0]]
    while isinstance(command, click.Group):
        arguments = arguments[1:]
        command = command.commands[arguments[0]]
    context = command.make_context(arguments[0], arguments[1:], obj=None)
    kit = load_kit()
    given = context.params
    if given.get("preset") is not None:
        assert given["preset"] in kit.presets
    for part in (*given.get("with_parts", ()), *given.get("without_parts", ())):
        assert part in kit.modules
    if given.get("sets") or given.get("with_parts"):
        resolve(
            kit,
            preset=given.get("preset"),
            sets=given.get("sets", ()),
            with_parts=given.get("with_parts", ()),
            without_parts=given.get("without_parts", ()),
        )


def _just(recipe: str) -> None:
    kit = load_kit()
    justfile = render(kit, everything(kit, sorted(kit.apps)[0]))["justfile"].content.decode()
    assert re.search(rf"^{re.escape(recipe)}\b.*:", justfile, re.MULTILINE), f"no recipe {recipe}"


def _script(arguments: list[str]) -> None:
    scripts = [word for word in arguments if word.endswith(".py")]
    assert all((ROOT / script).exists() for script in scripts), arguments


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_of_the_readme_exists(command: Command) -> None:
    check(command)


def test_the_first_two_commands_are_start_and_test() -> None:
    ours = [command.words for command in COMMANDS if command.words[0] not in {"git", "cd"}]
    assert ours[:2] == [("make", "start"), ("make", "test")]


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:|#)([^)#\s]+)", PAGE))
def test_a_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "line",
    [
        ("make", "strat"),
        ("make", "start", "FOLDER=/tmp/x"),
        ("greenlane", "create", "my-app"),
        ("greenlane", "new", "my-app", "--prest", "team"),
        ("greenlane", "new", "my-app", "--preset", "tema"),
        ("greenlane", "new", "my-app", "--with", "nothing"),
        ("greenlane", "new", "my-app", "--set", "nothing=1"),
        ("uv", "run", "just", "chekc"),
        ("python", "benchmarks/nothing.py"),
        ("greenlan", "new"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: tuple[str, ...]) -> None:
    with pytest.raises((AssertionError, KeyError, click.UsageError, GreenlaneError)):
        check(Command(line))
