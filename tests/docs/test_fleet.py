"""The commands of docs/fleet.md are parsed by the very commands; its example is a fleet."""

from pathlib import Path

import click
import pytest

from greenlane.fleet.cli import fleet
from greenlane.fleet.targets import read_fleet
from greenlane.fleet.work import BEHIND, CONFLICTS, FAILED, SKIPPED, UP_TO_DATE, UPDATED
from literate import Command, steps

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "fleet.md").read_text()
COMMANDS = [step for step in steps(PAGE) if isinstance(step, Command)]


def parse(words: list[str]) -> None:
    assert words[:2] == ["greenlane", "fleet"]
    fleet.commands[words[2]].make_context("fleet", words[3:], obj=None)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_its_commands_exist(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DOCS.parent)
    parse([str(tmp_path) if word == "~/clones" else word for word in command.words])


def test_a_command_that_does_not_exist_is_seen() -> None:
    with pytest.raises(click.UsageError):
        parse(["greenlane", "fleet", "update", "--pull"])


def test_its_example_is_a_fleet() -> None:
    targets = read_fleet(DOCS / "fleet.yml")
    assert [target.name for target in targets] == ["support-desk", "triage", "shop", "letters"]
    assert targets[2].sets == ("organisation=Acme Bank",)


def test_it_names_every_state() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")]
    assert rows[1:] == [UP_TO_DATE, BEHIND, UPDATED, CONFLICTS, FAILED, SKIPPED]
