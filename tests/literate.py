"""Reads what a Markdown page tells its reader to do: files to write, commands to run."""

import re
import shlex
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class FileBlock:
    """A block whose info string names a file: write `text` there, or append it."""

    path: str
    text: str
    append: bool


@dataclass(frozen=True)
class Command:
    """A line of a `console` block that begins with `$`, without its comment."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)


Step = FileBlock | Command


def steps(markdown: str) -> list[Step]:
    """The page's steps in order. Other blocks, without a file name, only show something."""
    found: list[Step] = []
    for match in _FENCE.finditer(markdown):
        language, *rest = match["info"].split()
        if language == "console":
            found += _commands(match["body"])
        elif rest:
            found.append(FileBlock(rest[0], match["body"], rest[1:] == ["append"]))
    return found


def _commands(body: str) -> list[Command]:
    joined = body.replace("\\\n", " ")
    lines = [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
    return [Command(tuple(shlex.split(line, comments=True))) for line in lines]
